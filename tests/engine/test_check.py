import numpy as np
import pytest

from enhance_cli.engine.check import fault_of, filled_mosaic

rng = np.random.default_rng(0)


def zeros(*shape):
    return np.zeros(shape, np.float32)


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


def test_a_tint_in_one_channel(x):
    y = x.copy()
    y[:, 2] += 0.3
    assert "colour" in fault_of(x, y)
    y = x.copy()
    y[:, 2] += 0.2
    assert fault_of(x, y) is None


def test_a_larger_result_is_compared_by_its_mean(x):
    assert fault_of(x, x.repeat(4, 2).repeat(4, 3)) is None


def test_few_pixels_prove_no_shift():
    assert fault_of(zeros(1, 1, 1, 1) + 1, zeros(1, 1, 1, 1) + 0.5) is None


def test_infinities_of_both_signs_do_not_cancel(x):
    y = x.copy()
    y[0, 1, 5, 6], y[0, 1, 9, 9] = float("inf"), -float("inf")
    assert "NaN or Inf" in fault_of(x, y)


def test_a_few_lit_pixels_are_not_black():
    x = zeros(1, 3, 64, 64)
    x[..., :16, :16] = 0.5
    y = np.zeros_like(x)
    y[..., :2, :2] = 0.5
    assert fault_of(x, y) is None


def test_a_mosaic_is_as_bright_as_its_picture():
    mosaic = zeros(1, 3, 2, 2)
    mosaic[0, 1, 0, 0] = mosaic[0, 0, 0, 1] = mosaic[0, 2, 1, 0] = mosaic[0, 1, 1, 1] = 0.5
    np.testing.assert_allclose(filled_mosaic(mosaic).mean((2, 3)), 0.5)
