"""Colour, border and figures by task, against sums done by hand."""

import numpy as np
import pytest

from enhance_cli.batch.measure import measure, untreated
from enhance_cli.errors import ImageError
from enhance_cli.imaging.mosaic import thinned
from enhance_cli.imaging.picture import Picture
from enhance_cli.imaging.resize import imresize
from enhance_cli.tasks import TASKS


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
    found = measure(TASKS["sr"], a, b, border=4)
    assert found["psnr"] == pytest.approx(decibels(error[4:-4, 4:-4]), abs=1e-4)
    spoiled = b.copy()
    spoiled[:4] = spoiled[:, -4:] = 0
    assert measure(TASKS["sr"], a, spoiled, border=4) == found


@pytest.mark.parametrize("task", ["denoise", "deblur"])
def test_noise_and_blur_are_measured_on_all_colours(task):
    a, b = random(), random(seed=1)
    found = measure(TASKS[task], a, b)
    assert found["psnr"] == pytest.approx(decibels(a.astype(float) - b))
    assert set(found) == {"psnr", "ssim"}


def test_a_gray_picture_is_its_own_luma():
    a, b = random(channels=1), random(channels=1, seed=1)
    assert measure(TASKS["sr"], a, b)["psnr"] == pytest.approx(decibels(a.astype(float) - b))


def test_gray_beside_colour_counts_as_equal_channels():
    gray = random(channels=1)
    assert measure(TASKS["denoise"], gray, gray.repeat(3, axis=2))["psnr"] == np.inf


def test_16_bits_are_measured_as_8():
    deep = random(dtype=np.uint16)
    shallow = np.floor(deep / 257 + 0.5).astype(np.uint8)
    assert measure(TASKS["denoise"], deep, shallow)["psnr"] == np.inf


def test_dejpeg_adds_psnr_b_of_the_result():
    reference = random(height=32, width=32)
    blocky = reference.copy()
    blocky[:, 8:16] //= 2
    found = measure(TASKS["dejpeg"], blocky, reference)
    assert found["psnr_b"] < found["psnr"]


def test_too_little_to_measure():
    with pytest.raises(ImageError, match="10x8"):
        measure(TASKS["sr"], random(16, 18), random(16, 18), border=4)


def test_doing_nothing_enlarges_by_bicubic():
    picture = Picture(random())
    assert untreated(TASKS["sr"], picture, 30, 24) is picture.pixels
    assert np.array_equal(untreated(TASKS["sr"], picture, 60, 48), imresize(picture.pixels, (48, 60)))


def test_doing_nothing_to_a_mosaic_fills_it_in():
    mosaic = thinned(np.full((24, 30, 3), 77, np.uint8), "rggb")
    assert (untreated(TASKS["demosaic"], Picture(mosaic), 30, 24) == 77).all()
