"""`enhance datasets`."""

import json

import pytest

from enhance_cli.bench.datasets.known import KNOWN_SETS


@pytest.fixture
def data(picture, tmp_path):
    """A data root with a Set5 of two pictures."""
    for name in ("baby", "bird"):
        picture(f"data/Set5/{name}.png")
    return tmp_path / "data"


def test_list_prints_aligned_columns_and_warns_of_what_is_missing(enhance, data):
    outcome = enhance("datasets", "list", "--data-root", data)
    assert outcome.code == 0
    header, *rows = outcome.out.decode().splitlines()
    assert header.split() == ["name", "task", "images", "state", "inputs", "folder"]
    assert rows[0].split() == ["Set5", "sr", "2/5", "incomplete", "-", str(data / "Set5")]
    assert len(rows) == len(KNOWN_SETS)
    assert all(row[header.index("state") - 1] == " " for row in rows)
    assert outcome.err == (
        f"warning: Set5 in {data / 'Set5'}: 2 pictures where 5 belong; missing: butterfly, head, woman\n"
    )


def test_list_as_json_is_one_event_a_line(enhance, data):
    outcome = enhance("datasets", "list", "--data-root", data, "--json")
    assert (outcome.code, outcome.err) == (0, "")
    events = [json.loads(line) for line in outcome.out.splitlines()]
    assert {event["name"] for event in events} == set(KNOWN_SETS)
    assert events[0]["problem"].endswith("missing: butterfly, head, woman")
    assert [event["name"] for event in events if event["get"]] == ["DIV2K-valid"]


def test_list_without_any_data_shows_the_built_in_set(enhance, monkeypatch, tmp_path):
    monkeypatch.delenv("ENHANCE_DATA", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    outcome = enhance("datasets", "list")
    assert outcome.out.decode().splitlines()[1].split()[0] == "Builtin"


def test_a_root_that_is_not_there_is_a_usage_error(enhance):
    outcome = enhance("datasets", "list", "--data-root", "nowhere")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert outcome.err.startswith("enhance: error: no folder of test sets at nowhere")


def test_get_says_how_to_place_a_set_without_an_address(enhance):
    outcome = enhance("datasets", "get", "kodak24", "--data-root", "data")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert (
        "no address with a known checksum is on record for Kodak24: put its pictures into data/Kodak24"
        in outcome.err
    )


def test_get_fails_with_one_line_and_exit_code_1(enhance, tmp_path, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    address = ("--url", "http://127.0.0.1:9/a.zip", "--sha256", "0" * 64)
    outcome = enhance("datasets", "get", "Set5", "--data-root", "data", *address)
    assert (outcome.code, outcome.err.count("\n"), outcome.out) == (1, 1, b"")
    assert not (tmp_path / "data" / "Set5").exists()


def test_get_tells_what_is_there_now(enhance, data, monkeypatch):
    from enhance_cli.bench import download
    from enhance_cli.bench.datasets import find

    monkeypatch.setattr(download, "get", lambda name, root, **_: find.at(root / name))
    outcome = enhance("datasets", "get", "Set5", "--data-root", data)
    assert outcome.code == 0
    first, second = outcome.err.splitlines()
    assert first == f"Set5: 2 pictures in {data / 'Set5'}"
    assert second.startswith("warning: Set5 in")
