"""--backend: what it takes, what it says, and that the picture is the same."""

import numpy as np
import pytest
from PIL import Image


@pytest.mark.parametrize("name", ["ncnn", "openvino"])
def test_what_is_asked_for_is_taken_and_gives_the_same_picture(name, request, enhance, picture, tmp_path):
    request.getfixturevalue(name)
    picture("a.png", 40, 30)
    outcome = enhance("denoise", "--sigma", 25, "--backend", name, "--json", "a.png", "n.png")
    assert outcome.code == 0, outcome.err
    assert outcome.of("start")[0]["backend"] == outcome.of("file")[0]["backend"] == name
    enhance("denoise", "--sigma", 25, "--backend", "torch", "a.png", "t.png")
    ours, theirs = (np.asarray(Image.open(tmp_path / name)).astype(int) for name in ("n.png", "t.png"))
    assert abs(ours - theirs).max() <= 1


def test_auto_says_what_it_took_and_why(ncnn, enhance, picture):
    picture("a.png")
    (start,) = enhance("sr", "--device", "cpu", "--json", "a.png", "out/").of("start")
    (note,) = start["notes"]
    assert note.startswith(f"backend auto: {start['backend']} (tiny-sr-x2 takes torch ")


def test_auto_without_other_runtimes_is_silent(enhance, picture):
    picture("a.png")
    outcome = enhance("sr", "--device", "cpu", "--json", "a.png", "out/")
    assert (outcome.code, outcome.of("start")[0]["backend"]) == (0, "torch")
    assert outcome.of("start")[0]["notes"] == []


@pytest.mark.parametrize(("name", "extra"), [("ncnn", "fast"), ("openvino", "openvino")])
def test_what_is_not_there_is_one_line_with_what_to_install(enhance, picture, name, extra):
    picture("a.png")
    outcome = enhance("sr", "--backend", name, "a.png", "out/")
    assert (outcome.code, outcome.out) == (2, b"")
    assert outcome.err == (
        f"enhance: error: backend {name} is not installed; pip install 'enhance-cli[{extra}]'\n"
    )
