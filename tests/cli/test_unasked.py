"""Where the user names neither weights nor a noise level, the picture decides."""

import json

import numpy as np
import pytest
from PIL import Image

from enhance_cli.degrade.camera import camera_noise


def scene(side=256):
    """Smooth shapes with edges, as (side, side, 3) uint8."""
    y, x = np.mgrid[:side, :side] / side
    red = 90 + 80 * np.sin(3 * x + 2 * y)
    green = 120 + 60 * np.cos(4 * y) * (x > 0.5)
    blue = 100 + 90 * ((x - 0.4) ** 2 + (y - 0.6) ** 2 < 0.08)
    return np.clip(np.stack([red, green, blue], 2), 0, 255).astype(np.uint8)


def event_of(outcome):
    assert outcome.code == 0, outcome.err
    events = [json.loads(line) for line in outcome.out.splitlines()]
    return next(event for event in events if event["event"] == "file")


@pytest.fixture
def save(tmp_path):
    def write(name, pixels):
        Image.fromarray(pixels).save(tmp_path / name)
        return name

    return write


def test_white_noise_is_found_and_told(enhance, save):
    noisy = scene() + np.random.default_rng(0).normal(0, 20, (256, 256, 3))
    name = save("noisy.png", np.clip(np.rint(noisy), 0, 255).astype(np.uint8))
    event = event_of(enhance("denoise", "--json", name))
    assert event["damage"]["kind"] == "white noise"
    assert event["damage"]["strength"] == pytest.approx(20, rel=0.15)
    assert event["condition"] == pytest.approx(20, rel=0.15)


@pytest.mark.parametrize("task", ["denoise", "deblur"])
def test_a_picture_that_needs_nothing_comes_out_as_it_went_in(enhance, save, tmp_path, task):
    drawing = np.full((200, 200, 3), 240, np.uint8)
    drawing[40:160, 60:140] = (20, 60, 200)
    event = event_of(enhance(task, "--json", save("drawing.png", drawing), "out/"))
    assert event["damage"] == {"kind": "none"} and event["tiles"] == 0
    assert (np.asarray(Image.open(tmp_path / "out/drawing.png")) == drawing).all()
    assert "left as it is" in enhance(task, "drawing.png", "again/").err


def test_whoever_names_a_network_gets_it(enhance, save):
    drawing = np.full((200, 200, 3), 240, np.uint8)
    event = event_of(enhance("deblur", "--json", "--model", "default", save("drawing.png", drawing)))
    assert "damage" not in event and event["tiles"] > 0


@pytest.mark.parametrize(("share", "least", "most"), [("0", 0, 0), ("50%", 0.3, 0.8), ("1", 1, 1)])
def test_strength_is_the_share_of_the_change(enhance, save, tmp_path, share, least, most):
    noisy = camera_noise(scene(96), seed=1)
    name = save("noisy.png", noisy)
    changes = {}
    for text in ("1", share):
        folder = f"out{text.rstrip('%')}/"
        event_of(enhance("denoise", "--sigma", "15", "--strength", text, "--json", name, folder))
        result = np.asarray(Image.open(tmp_path / folder / "noisy.png")).astype(float)
        changes[text] = np.abs(result - noisy).mean()
    assert changes["1"] > 0.5
    assert least * changes["1"] - 0.01 <= changes[share] <= most * changes["1"] + 0.01


def test_strength_of_an_enlargement_leads_to_bicubic(enhance, save, tmp_path):
    name = save("a.png", scene(40))
    event_of(enhance("sr", "--strength", "0", "--json", name, "plain/"))
    event_of(enhance("sr", "--json", name, "full/"))
    plain, full = (np.asarray(Image.open(tmp_path / folder / "a.png")) for folder in ("plain", "full"))
    assert plain.shape == full.shape == (80, 80, 3) and (plain != full).any()


@pytest.mark.parametrize("text", ["1.5", "-0.1", "much", "120%", "nan", ""])
def test_a_strength_that_cannot_be_is_one_line(enhance, save, text):
    outcome = enhance("denoise", f"--strength={text}", save("a.png", scene(32)))
    assert outcome.code == 2
    assert "--strength" in outcome.err and outcome.err.count("\n") == 1
