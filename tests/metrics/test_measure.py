"""Colour, border and figures by task, against sums done by hand."""

import numpy as np
import pytest

from enhance_cli.errors import ImageError
from enhance_cli.imaging.mosaic import thinned
from enhance_cli.imaging.resize import imresize
from enhance_cli.metrics.measure import baseline, compare, eight_bit, luma, measure, rounded_luma


def random(height=24, width=30, channels=3, dtype=np.uint8, seed=0):
    return (
        np.random.default_rng(seed)
        .integers(0, np.iinfo(dtype).max + 1, (height, width, channels))
        .astype(dtype)
    )


def decibels(error):
    return 10 * np.log10(255**2 / np.mean(np.square(error)))


def test_sr_is_measured_on_luma_inside_the_border():
    a, b = random(), random(seed=1)
    weights = np.array([65.481, 128.553, 24.966]) / 255
    error = (a.astype(float) - b) @ weights
    assert measure("sr", a, b, 4)["psnr"] == pytest.approx(decibels(error[4:-4, 4:-4]), abs=1e-9)
    spoiled = b.copy()
    spoiled[:4] = spoiled[:, -4:] = 0
    assert measure("sr", a, spoiled, 4) == measure("sr", a, b, 4)


@pytest.mark.parametrize("task", ["denoise", "deblur"])
def test_noise_and_blur_are_measured_on_all_colours(task):
    a, b = random(), random(seed=1)
    found = measure(task, a, b)
    assert found["psnr"] == pytest.approx(decibels(a.astype(float) - b))
    assert set(found) == {"psnr", "ssim"}


def test_a_gray_picture_is_its_own_luma():
    a, b = random(channels=1), random(channels=1, seed=1)
    error = (a.astype(float) - b)[1:-1, 1:-1]
    assert measure("sr", a, b)["psnr"] == pytest.approx(decibels(error))


def test_gray_beside_colour_counts_as_equal_channels():
    gray = random(channels=1)
    assert measure("denoise", gray, gray.repeat(3, axis=2))["psnr"] == np.inf


def test_16_bits_are_measured_as_8():
    deep = random(dtype=np.uint16)
    shallow = np.floor(deep / 257 + 0.5).astype(np.uint8)
    assert measure("denoise", deep, shallow)["psnr"] == np.inf


def test_dejpeg_adds_psnr_b_of_the_result():
    reference = random(height=32, width=32)
    blocky = reference.copy()
    blocky[:, 8:16] //= 2
    found = measure("dejpeg", blocky, reference)
    assert found["psnr_b"] < found["psnr"]


def test_too_little_to_measure():
    with pytest.raises(ImageError, match="10x8"):
        measure("sr", random(16, 18), random(16, 18), 4)


def test_doing_nothing_enlarges_by_bicubic():
    picture = random()
    assert baseline("sr", picture, 24, 30) is picture
    assert np.array_equal(baseline("sr", picture, 48, 60), imresize(picture, (48, 60)))


def test_doing_nothing_to_a_mosaic_fills_it_in():
    mosaic = thinned(np.full((24, 30, 3), 77, np.uint8), "rggb")
    assert (baseline("demosaic", mosaic, 24, 30) == 77).all()


def test_a_fraction_of_a_pixel_widens_the_border_to_the_next_whole_one():
    a, b = random(), random(seed=1)
    assert measure("sr", a, b, 2.5) == measure("sr", a, b, 3)


def test_floats_are_compared_as_they_are_and_luma_beside_colour():
    reference = random()
    off = reference.astype(np.float32) + np.float32(0.25)
    assert compare(off, reference)["psnr"] == pytest.approx(decibels(np.full(3, 0.25)))
    assert compare(luma(reference), reference, on_luma=True)["psnr"] == np.inf


def test_eight_bits_are_rounded_half_up_and_clipped():
    levels = np.array([-0.1, 0.49 / 255, 0.5 / 255, 1.1]).reshape(2, 2, 1)
    assert eight_bit(levels).ravel().tolist() == [0, 0, 1, 255]
    assert eight_bit(np.array([[[0, 128, 65535]]], np.uint16)).ravel().tolist() == [0, 0, 255]
    assert np.abs(rounded_luma(random()) - luma(random())).max() <= 0.5
