import pytest
import torch

from enhance_cli.engine.guard import problem


@pytest.fixture
def x():
    return torch.rand(1, 3, 32, 48)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_one_value_that_is_no_number_is_enough(x, bad):
    y = x.clone()
    y[0, 1, 5, 6] = bad
    assert "NaN or Inf" in problem(x, y)


def test_black(x):
    assert "black" in problem(x, torch.zeros_like(x))
    assert problem(torch.zeros_like(x), torch.zeros_like(x)) is None


def test_black_with_one_lit_spot_is_not_taken_for_black_input():
    x = torch.zeros(1, 1, 64, 64)
    x[..., :8, :8] = 1
    assert "black" in problem(x, torch.zeros_like(x))


@pytest.mark.parametrize("side", [8, 64, 256])
@pytest.mark.parametrize("clipped", [True, False])
def test_noise_on_black_may_be_removed(side, clipped):
    noisy = torch.randn(1, 3, side, side) * (50 if side > 8 else 20) / 255
    noisy = noisy.clamp(0, 1) if clipped else noisy
    assert problem(noisy, torch.zeros_like(noisy)) is None


def test_a_night_picture_must_not_turn_black():
    night = torch.zeros(1, 3, 64, 64)
    night[:, 2] = 0.05 + 0.05 * torch.rand(64, 64)
    assert "black" in problem(night, torch.zeros_like(night))


def test_a_tint_in_one_channel(x):
    y = x.clone()
    y[:, 2] += 0.3
    assert "colour" in problem(x, y)
    y = x.clone()
    y[:, 2] += 0.2
    assert problem(x, y) is None


def test_a_larger_result_is_compared_by_its_mean(x):
    assert problem(x, x.repeat_interleave(4, 2).repeat_interleave(4, 3)) is None


def test_few_pixels_prove_no_shift():
    assert problem(torch.ones(1, 1, 1, 1), torch.full((1, 1, 1, 1), 0.5)) is None


def test_infinities_of_both_signs_do_not_cancel(x):
    y = x.clone()
    y[0, 1, 5, 6], y[0, 1, 9, 9] = float("inf"), -float("inf")
    assert "NaN or Inf" in problem(x, y)


def test_a_few_lit_pixels_are_not_black():
    x = torch.zeros(1, 3, 64, 64)
    x[..., :16, :16] = 0.5
    y = torch.zeros_like(x)
    y[..., :2, :2] = 0.5
    assert problem(x, y) is None
