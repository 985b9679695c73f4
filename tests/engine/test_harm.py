import cv2
import numpy as np
import pytest
from fake_networks import FakeRuntime

from enhance_cli.engine import harm, network
from enhance_cli.engine.restorer import Restorer
from enhance_cli.engine.settings import EngineSettings
from enhance_cli.imaging.picture import Picture
from enhance_cli.runtimes.contract import NetworkSource

CPU = EngineSettings(device="cpu")
SOURCE = NetworkSource(name="fake", sha256="0" * 64, load=lambda: pytest.fail("nobody reads it"))


def scene(height=256, width=256):
    """Sharp gray blocks of many sizes on one another."""
    rng = np.random.default_rng(1)
    pixels = np.full((height, width, 1), 128, np.uint8)
    for _ in range(height * width // 200):
        top, left, size = rng.integers(height), rng.integers(width), rng.integers(3, 40)
        pixels[top : top + size, left : left + size] = rng.integers(30, 226)
    return pixels


def blurred(pixels):
    return cv2.GaussianBlur(pixels, (0, 0), 1.5)[..., None]


def echoes(pixels):
    """The picture with ghosts of itself to both sides, as deconvolution with a wrong path makes them."""
    levels = pixels.astype(np.float32)
    detail = levels - cv2.GaussianBlur(levels, (0, 0), 5)[..., None]
    ghosts = np.roll(detail, 6, 1) - np.roll(detail, -6, 1)
    return (levels + 0.6 * ghosts).clip(0, 255).astype(np.uint8)


def test_a_sharper_picture_is_no_harm_and_echoes_are():
    sharp = scene()
    given = blurred(sharp)
    assert not harm.is_harmful([(given, sharp)])
    assert harm.is_harmful([(given, echoes(given))])


@pytest.mark.parametrize("pixels", [np.full((256, 256, 3), 9, np.uint8), np.zeros((1, 1, 1), np.uint16)])
def test_nothing_changed_or_nothing_to_see_is_no_harm(pixels):
    assert not harm.is_harmful([(pixels, pixels)])
    assert not harm.is_harmful([])


def test_the_parts_of_most_contrast_are_looked_at():
    pixels = np.zeros((600, 1100, 1), np.uint8)
    pixels[256:512, 512:768] = np.random.default_rng(0).integers(0, 256, (256, 256, 1))
    first, *others = harm.probes(pixels)
    assert (first.top, first.left) == (256, 512)
    assert len(others) == harm.MOST_PROBES - 1
    assert [(box.bottom, box.right) for box in harm.probes(pixels[:20, :30])] == [(20, 30)]


def as_network(function):
    return lambda x: (function((x[0].transpose(1, 2, 0) * 255).round().astype(np.uint8)) / np.float32(255))[
        None, ..., 0
    ][None]


@pytest.mark.parametrize("size", [(200, 240), (700, 600)])
@pytest.mark.parametrize("unharmed", [True, False])
def test_what_would_do_harm_is_left_out_and_said(monkeypatch, size, unharmed):
    monkeypatch.setattr(network, "open_runtime", lambda *given: FakeRuntime(as_network(echoes)))
    restorer = Restorer(SOURCE, CPU, task="deblur")
    given = blurred(scene(*size))
    bands = list(restorer.bands(Picture(given), unharmed=unharmed))
    result = np.concatenate([band.pixels for band in bands])
    assert (result == given).all() == unharmed
    assert any("harm" in warning for warning in restorer.info.warnings) == unharmed


def test_help_is_given(monkeypatch):
    sharp = scene()
    monkeypatch.setattr(network, "open_runtime", lambda *given: FakeRuntime(as_network(lambda x: sharp)))
    restorer = Restorer(SOURCE, CPU, task="deblur")
    (band,) = restorer.bands(Picture(blurred(sharp)), unharmed=True)
    np.testing.assert_array_equal(band.pixels, sharp)
    assert restorer.info.warnings == ()
