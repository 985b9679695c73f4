import math

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio

from enhance_cli.errors import ImageError
from enhance_cli.metrics.psnr import psnr


def test_one_level_of_error_is_48_13_db():
    a = np.zeros((4, 5), np.uint8)
    assert psnr(a, a + 1) == pytest.approx(20 * math.log10(255))


def test_uint8_differences_do_not_wrap_around():
    assert psnr(np.zeros((2, 2), np.uint8), np.full((2, 2), 255, np.uint8)) == pytest.approx(0)


def test_equal_pictures_are_infinitely_good():
    assert psnr(np.ones((3, 3, 3)), np.ones((3, 3, 3))) == math.inf


def test_agrees_with_scikit_image():
    rng = np.random.default_rng(1)
    a, b = rng.uniform(0, 255, (2, 31, 17, 3))
    assert psnr(a, b) == pytest.approx(peak_signal_noise_ratio(a, b, data_range=255))


def test_another_peak_moves_the_scale():
    a, b = np.zeros((2, 2)), np.full((2, 2), 0.5)
    assert psnr(a, b, peak=1.0) == pytest.approx(psnr(255 * a, 255 * b))


def test_different_sizes_are_an_error_that_names_both():
    with pytest.raises(ImageError, match=r"5x4x3 with one of 5x4:"):
        psnr(np.zeros((4, 5, 3)), np.zeros((4, 5)))
