"""`enhance models`."""

import json
import shutil

import pytest
from fake_networks import FakeRuntime

from enhance_cli.checkpoints import store
from enhance_cli.cli import console
from enhance_cli.runtimes import select


def test_list_prints_one_line_each_with_its_tier(enhance):
    outcome = enhance("models", "list")
    assert outcome.code == 0
    header, *rows = outcome.out.decode().splitlines()
    assert header.split()[:5] == ["name", "tier", "task", "scale", "colour"]
    assert rows[0].split()[:5] == ["tiny-sr-x2", "default", "sr", "2", "rgb"]
    events = enhance("models", "list", "--json").events
    assert [one["name"] for one in events] == [row.split()[0] for row in rows]
    assert all(one["schema"] == 1 and one["event"] == "model" for one in events)


def test_show_prints_the_record_and_its_card(enhance):
    outcome = enhance("models", "show", "tiny-sr-x2")
    assert outcome.code == 0
    text = outcome.out.decode()
    assert "licence          MIT" in text
    assert "Made of chance.\n\n### Data" in text
    assert "## other" not in text
    assert "5..60" in enhance("models", "show", "tiny-dejpeg").out.decode()
    assert json.loads(enhance("models", "show", "tiny-sr-x2", "--json").out)["scale"] == 2


def test_an_unknown_name_is_answered_with_names_like_it(enhance):
    outcome = enhance("models", "show", "tiny-sr-x4")
    assert outcome.code == 2
    assert outcome.err.startswith("enhance: error: unknown model")
    assert "tiny-sr-x3" in outcome.err


def test_numbers_that_json_does_not_have_are_never_written():
    with pytest.raises(ValueError, match="JSON compliant"):
        console.event("inspect", {"parameters": {"res_scale": float("nan")}})


def test_verify_finds_the_altered_file(enhance, shelf, monkeypatch, tmp_path):
    assert enhance("models", "verify").code == 0
    copy = tmp_path / "copy"
    shutil.copytree(shelf, copy)
    (copy / "tiny-sr-x3.safetensors").write_bytes(b"altered")
    monkeypatch.setattr(store, "weights_folder", lambda: copy)
    outcome = enhance("models", "verify")
    assert outcome.code == 1
    assert "BAD  tiny-sr-x3" in outcome.out.decode() and "ok   tiny-sr-x2" in outcome.out.decode()
    assert "tiny-sr-x3" in outcome.err
    verdicts = {one["name"]: one["ok"] for one in enhance("models", "verify", "--json").events}
    assert verdicts["tiny-sr-x2"] and not verdicts["tiny-sr-x3"]


def test_prepare_opens_what_is_named_or_everything(enhance, monkeypatch):
    opened = []

    def open_runtime(source, settings):
        opened.append((source.name, settings.backend))
        return FakeRuntime(lambda x: x)

    monkeypatch.setattr(select, "open_runtime", open_runtime)
    outcome = enhance("models", "prepare", "tiny-sr-x2", "tiny-deblur", "--backend", "torch")
    assert outcome.out.decode().splitlines() == [
        "tiny-sr-x2  fake float32 on cpu",
        "tiny-deblur  fake float32 on cpu",
    ]
    assert opened == [("tiny-sr-x2", "torch"), ("tiny-deblur", "torch")]
    events = enhance("models", "prepare", "--json").events
    assert [one["name"] for one in events] == [
        one["name"] for one in enhance("models", "list", "--json").events
    ]
    assert events[0] == {
        "event": "prepare",
        "schema": 1,
        "name": "tiny-sr-x2",
        "device": "cpu",
        "backend": "fake",
        "precision": "float32",
        "notes": [],
    }
    assert enhance("models", "prepare", "nonsense").code == 2
