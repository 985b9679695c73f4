"""Floors that figures must reach."""

import math

import pytest

from enhance_cli.metrics.gates import below, first_of


@pytest.mark.parametrize(
    ("metrics", "expected"),
    [
        ({"psnr": 30.0, "ssim": 0.9}, []),
        ({"psnr_y": 29.99, "ssim_y": 0.89}, [("psnr_y", 30.0), ("ssim_y", 0.9)]),
        ({"psnr": math.nan}, [("psnr", 30.0)]),
        ({"psnr": math.inf, "psnr_b": 1.0}, []),
    ],
)
def test_floors_hold_for_all_channels_and_for_luma(metrics, expected):
    assert below(metrics, {"psnr": 30.0, "ssim": 0.9}) == expected
    assert below(metrics, {"psnr": None, "ssim": None}) == []


def test_the_first_offenders_are_named_and_the_others_counted():
    assert first_of(["a", "b"]) == "a, b"
    assert first_of(list("abcdefg"), "; ") == "a; b; c; d; e and 2 more"
