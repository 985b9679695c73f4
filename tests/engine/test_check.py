from dataclasses import replace

import numpy as np
import pytest

from enhance_cli.engine import check
from enhance_cli.engine.check import Comparison, filled_mosaic
from enhance_cli.tasks import TASKS, Changes

rng = np.random.default_rng(0)
NAMES = tuple(TASKS)


def fault_of(x, y, task="denoise"):
    return check.fault_of(x, y, TASKS[task])


def zeros(*shape):
    return np.zeros(shape, np.float32)


@pytest.fixture
def scene():
    """(1, 3, 96, 128): a bright sky, dark ground with some texture, and a gray wall."""
    x = zeros(1, 3, 96, 128) + 0.15
    x[:, :, :40] = np.float32([0.5, 0.6, 0.8]).reshape(1, 3, 1, 1)
    x[:, :, 20:80, 70:110] = 0.4
    return x + 0.02 * rng.standard_normal(x.shape, np.float32)


@pytest.fixture
def x():
    return rng.random((1, 3, 32, 48), np.float32)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_one_value_that_is_no_number_is_enough(x, bad):
    y = x.copy()
    y[0, 1, 5, 6] = bad
    assert "NaN or Inf" in fault_of(x, y)


def test_black(x):
    assert "black" in fault_of(x, np.zeros_like(x))
    assert fault_of(np.zeros_like(x), np.zeros_like(x)) is None


def test_black_with_one_lit_spot_is_not_taken_for_black_input():
    x = zeros(1, 1, 64, 64)
    x[..., :8, :8] = 1
    assert "black" in fault_of(x, np.zeros_like(x))


@pytest.mark.parametrize("side", [8, 64, 256])
@pytest.mark.parametrize("clipped", [True, False])
def test_noise_on_black_may_be_removed(side, clipped):
    noisy = rng.standard_normal((1, 3, side, side), np.float32) * (50 if side > 8 else 20) / 255
    noisy = noisy.clip(0, 1) if clipped else noisy
    assert fault_of(noisy, np.zeros_like(noisy)) is None


def test_a_night_picture_must_not_turn_black():
    night = zeros(1, 3, 64, 64)
    night[:, 2] = 0.05 + 0.05 * rng.random((64, 64))
    assert "black" in fault_of(night, np.zeros_like(night))


@pytest.mark.parametrize("task", NAMES)
def test_a_result_like_its_input_passes(scene, task):
    assert fault_of(scene, scene, task) is None


@pytest.mark.parametrize("task", NAMES)
@pytest.mark.parametrize("channels", [slice(3), slice(1)])
def test_a_shift_by_61_levels(scene, task, channels):
    y = scene.copy()
    y[:, channels] += 61 / 255
    assert "shifted" in fault_of(scene, y, task)


@pytest.mark.parametrize("task", NAMES)
def test_half_of_the_picture_black(scene, task):
    y = scene.copy()
    y[..., 64:] = 0
    assert fault_of(scene, y, task)


@pytest.mark.parametrize("task", NAMES)
@pytest.mark.parametrize("offset", range(4))
def test_a_white_spot(scene, task, offset):
    y = scene.copy()
    y[..., 60 + offset : 67 + offset, 21 + offset : 28 + offset] = 1
    assert fault_of(scene, y, task)


@pytest.mark.parametrize("task", NAMES)
@pytest.mark.parametrize("level", [0.5, None])
def test_a_constant(scene, task, level):
    y = np.full_like(scene, level) if level else 0 * scene + scene.mean((2, 3), keepdims=True)
    assert fault_of(scene, y, task)


def test_a_picture_with_its_own_means_but_no_contrast(scene):
    y = 0.3 * scene + 0.7 * scene.mean((2, 3), keepdims=True)
    assert "contrast" in check.fault_of(scene, y, replace(TASKS["sr"], changes=Changes(1, 1, 9)))


@pytest.mark.parametrize("task", ["sr", "dejpeg", "denoise", "deblur"])
def test_stripes_that_leave_the_means_alone(scene, task):
    y = scene + np.float32([0.2, -0.2] * 64)
    assert "fine structure" in fault_of(scene, y, task)


@pytest.mark.parametrize("sigma", [5, 25, 75])
@pytest.mark.parametrize("darkness", [1, 0.3])
def test_strong_noise_may_be_removed(scene, sigma, darkness):
    clean = darkness * scene
    noisy = clean + np.float32(sigma / 255) * rng.standard_normal(clean.shape, np.float32)
    assert fault_of(noisy.clip(0, 1), clean) is None


def test_a_picture_of_noise_may_become_flat():
    noise = (0.5 + 0.3 * rng.standard_normal((1, 3, 128, 128), np.float32)).clip(0, 1)
    assert fault_of(noise, 0 * noise + 0.5) is None


def test_an_edge_may_become_sharp():
    x = np.repeat(np.linspace(-4, 5, 128, dtype=np.float32).clip(0, 1)[None], 96, 0)[None, None]
    assert fault_of(x, (x > 0.5).astype(np.float32), "deblur") is None


def test_the_worst_channel_counts(scene):
    y = scene.copy()
    y[:, 2] += 0.1
    found = Comparison.of(scene, y, reach=8)
    assert found.drift == pytest.approx(0.1, abs=1e-3)
    assert (found.contrast, found.roughness) == pytest.approx((1, 1), abs=1e-3)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_a_larger_result_is_compared_by_the_means_of_its_blocks(scene, scale):
    y = scene.repeat(scale, 2).repeat(scale, 3)
    assert fault_of(scene, y, "sr") is None
    y[..., 60 * scale : 60 * scale + 7, 33:40] = 1
    assert "spots" in fault_of(scene, y, "sr")


@pytest.mark.parametrize("size", [(1, 1), (1, 400), (400, 1), (3, 90), (17, 16)])
@pytest.mark.parametrize("task", NAMES)
def test_pictures_of_any_shape(size, task):
    x = rng.random((1, 3, *size), np.float32)
    assert fault_of(x, x, task) is None


def test_few_pixels_prove_no_shift():
    assert fault_of(zeros(1, 1, 1, 1) + 1, zeros(1, 1, 1, 1) + 0.5) is None


def test_infinities_of_both_signs_do_not_cancel(x):
    y = x.copy()
    y[0, 1, 5, 6], y[0, 1, 9, 9] = float("inf"), -float("inf")
    assert "NaN or Inf" in fault_of(x, y)


def test_a_mosaic_is_as_bright_as_its_picture():
    mosaic = zeros(1, 3, 2, 2)
    mosaic[0, 1, 0, 0] = mosaic[0, 0, 0, 1] = mosaic[0, 2, 1, 0] = mosaic[0, 1, 1, 1] = 0.5
    np.testing.assert_allclose(filled_mosaic(mosaic), np.full((1, 3, 2, 2), 0.5))
