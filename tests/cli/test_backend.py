"""--backend: what it takes, what it says, and that the picture is the same."""

from typing import get_args

import numpy as np
import pytest
from PIL import Image

from enhance_cli.runtimes.contract import Backend

PREPARED = [name for name in get_args(Backend) if name != "torch"]


@pytest.fixture(autouse=True)
def own_cache(hermetic, monkeypatch, tmp_path):
    """What one test has found out with its runtimes is no answer for the next, which has others."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.mark.parametrize("name", PREPARED)
def test_what_is_asked_for_is_taken_and_gives_the_same_picture(name, request, enhance, picture, tmp_path):
    request.getfixturevalue(name)
    picture("a.png", 40, 30)
    asked = ("--sigma", 25, "--precision", "float32", "--device", "cpu")
    outcome = enhance("denoise", *asked, "--backend", name, "--json", "a.png", "n.png")
    assert outcome.code == 0, outcome.err
    assert outcome.of("start")[0]["backend"] == outcome.of("file")[0]["backend"] == name
    enhance("denoise", *asked, "--backend", "torch", "a.png", "t.png")
    ours, theirs = (np.asarray(Image.open(tmp_path / name)).astype(int) for name in ("n.png", "t.png"))
    assert abs(ours - theirs).max() <= 1


def test_auto_says_what_it_took(onnxruntime, enhance, picture):
    picture("a.png")
    (start,) = enhance("sr", "--device", "cpu", "--json", "a.png", "out/").of("start")
    taken = [note for note in start["notes"] if note.startswith(f"auto: {start['backend']} in")]
    assert len(taken) == ((start["backend"], start["precision"]) != ("torch", "float32"))


def test_auto_without_other_runtimes_is_silent(enhance, picture):
    picture("a.png")
    asked = ("--device", "cpu", "--precision", "float32")
    outcome = enhance("sr", *asked, "--json", "a.png", "out/")
    assert (outcome.code, outcome.of("start")[0]["backend"]) == (0, "torch")
    assert outcome.of("start")[0]["notes"] == []


@pytest.mark.parametrize("name", PREPARED)
def test_what_is_not_there_is_one_line_with_what_to_install(enhance, picture, name):
    picture("a.png")
    outcome = enhance("sr", "--backend", name, "a.png", "out/")
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, b"", 1)
    assert f"backend {name} is not installed" in outcome.err
    assert "pip install" in outcome.err
