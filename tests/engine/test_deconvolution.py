"""Undoing a blur with the kernel that the picture tells."""

import numpy as np
import pytest

from enhance_cli.degrade.blur import blur
from enhance_cli.engine.deconvolution import deconvolved, find_kernel, restored
from enhance_cli.engine.restorer import Restorer
from enhance_cli.engine.settings import EngineSettings
from enhance_cli.engine.sources import default_denoiser
from tests.imaging.test_blur_kernel import hook, scene


@pytest.fixture(scope="module")
def denoise():
    """The shipped denoiser for gray."""
    settings = EngineSettings(device="cpu", backend="torch", precision="float32", unchecked=True)
    return Restorer(default_denoiser(True), settings, task="denoise").restore_plane


@pytest.fixture(scope="module")
def pair():
    """A sharp picture and the same blurred, (H, W, 1) uint8."""
    sharp = np.rint(255 * scene(192)).astype(np.uint8)[..., None]
    return sharp, blur(sharp, hook())


def psnr(a, b):
    return 10 * np.log10(255**2 / np.square(a.astype(float) - b).mean())


def test_with_the_true_kernel_most_of_the_blur_goes(denoise, pair):
    sharp, blurred = pair
    result = deconvolved(blurred.astype(np.float32) / 255, hook(), denoise)
    assert psnr(255 * result.clip(0, 1), sharp) > psnr(blurred, sharp) + 5


def test_blind_it_gains_too(denoise, pair):
    sharp, blurred = pair
    found = find_kernel(blurred, denoise)
    assert found is not None
    assert found.gain > 0
    assert 1 < found.width < 6
    result = np.concatenate(list(restored(blurred, found.kernel, denoise)))
    assert result.dtype == np.uint8
    assert result.shape == sharp.shape
    assert psnr(result, sharp) > psnr(blurred, sharp) + 2


def test_a_result_that_is_not_sound_is_not_taken(denoise, pair):
    assert find_kernel(pair[1], denoise, lambda x, y: False) is None


@pytest.mark.parametrize("shape", [(1, 1, 1), (40, 300, 1), (95, 95, 1)])
def test_a_small_picture_tells_too_little(denoise, shape):
    assert find_kernel(np.zeros(shape, np.uint8), denoise) is None


def test_nothing_is_trusted_in_a_flat_or_a_random_picture(denoise):
    assert find_kernel(np.full((120, 120, 1), 90, np.uint8), denoise) is None
    noise = np.random.default_rng(0).integers(0, 256, (120, 120, 1)).astype(np.uint8)
    assert find_kernel(noise, denoise) is None


def test_bands_meet_without_a_seam(denoise, monkeypatch, pair):
    """Whole and in bands the same, but for what lies beyond the overlap."""
    whole = np.concatenate(list(restored(pair[1], hook(), denoise)))
    monkeypatch.setattr("enhance_cli.engine.deconvolution.BAND", 96)
    bands = list(restored(pair[1], hook(), denoise))
    assert [len(band) for band in bands] == [96, 96]
    difference = np.abs(np.concatenate(bands).astype(int) - whole)
    assert np.sqrt(np.square(difference[88:104]).mean()) < 2
