import math

import cv2
import numpy as np
import pytest
from skimage import data

from enhance_cli.imaging.blurriness import estimate_blur

SHARP = {
    "camera": data.camera()[..., None],
    "coffee": data.coffee()[:300, :400],
    "astronaut": data.astronaut(),
}


def moved(pixels, length, angle):
    """A straight movement of `length` pixels."""
    kernel = np.zeros((65, 65), np.float32)
    for t in np.linspace(-length / 2, length / 2, 400):
        y, x = 32 + t * math.sin(angle), 32 + t * math.cos(angle)
        kernel[round(y), round(x)] += 1
    return cv2.filter2D(pixels, -1, kernel / kernel.sum()).reshape(pixels.shape)


@pytest.mark.parametrize("name", SHARP)
def test_sharp_pictures_are_sharp(name):
    found = estimate_blur(SHARP[name])
    assert not found.blurred
    assert found.width == 0


@pytest.mark.parametrize("sigma", [1.5, 3])
@pytest.mark.parametrize("name", SHARP)
def test_pictures_out_of_focus(name, sigma):
    found = estimate_blur(cv2.GaussianBlur(SHARP[name], (0, 0), sigma).reshape(SHARP[name].shape))
    assert found.blurred
    assert found.score > 0
    assert 0.6 * sigma < found.width < 1.6 * sigma


@pytest.mark.parametrize("angle", [0, math.pi / 4, math.pi / 2, 2.2])
@pytest.mark.parametrize("name", SHARP)
def test_a_movement_in_any_direction_is_blur(name, angle):
    assert estimate_blur(moved(SHARP[name], 12, angle)).blurred


def test_the_longer_the_movement_the_wider():
    widths = [estimate_blur(moved(SHARP["coffee"], length, 0.5)).width for length in (6, 12, 24)]
    assert widths == sorted(widths)


def test_a_sharp_subject_before_a_background_out_of_focus_is_sharp():
    picture = SHARP["astronaut"]
    background = cv2.GaussianBlur(picture, (0, 0), 6)
    assert not estimate_blur(np.concatenate([picture[:256], background[256:]])).blurred


def test_sixteen_bits_and_eight_give_the_same():
    pixels = cv2.GaussianBlur(SHARP["coffee"], (0, 0), 2)
    assert estimate_blur(pixels.astype(np.uint16) * 257).width == pytest.approx(
        estimate_blur(pixels).width, rel=1e-3
    )


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 90, 3), (31, 31, 3), (40, 33, 1), (64, 64, 3)])
def test_nothing_to_judge_by_is_not_blurred(shape):
    for pixels in (np.zeros(shape, np.uint8), np.full(shape, 200, np.uint8)):
        assert not estimate_blur(pixels).blurred
    noise = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    assert not estimate_blur(noise).blurred


def test_gradients_are_not_blurred():
    assert not estimate_blur(np.tile(np.arange(256, dtype=np.uint8)[None, :, None], (256, 1, 3))).blurred


def test_published_pictures_sharp_and_shaken(shared):
    test = shared / "data" / "test"
    kernels = np.load(test / "kernels" / "levin09.npz")
    pictures = [cv2.imread(str(path)) for path in sorted((test / "BSD100").iterdir())]
    assert sum(estimate_blur(pixels).blurred for pixels in pictures) <= 5
    shaken = [cv2.filter2D(x, -1, kernels[f"k{i % 8}"][::-1, ::-1].copy()) for i, x in enumerate(pictures)]
    assert sum(estimate_blur(pixels).blurred for pixels in shaken) >= 90
