"""The learned metrics, with a stand-in for their library."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from enhance_cli.bench.perceptual import extra_metrics
from enhance_cli.errors import ImageError, UsageError
from enhance_cli.metrics.ssim import ssim

RNG = np.random.default_rng(0)
RESULT, REFERENCE = RNG.integers(0, 256, (2, 24, 30, 3), dtype=np.uint8)


class Distance:
    """Mean absolute difference, or with one picture its mean."""

    def __init__(self, mode: str) -> None:
        self.metric_mode = mode

    def __call__(self, *pictures: torch.Tensor) -> torch.Tensor:
        assert len(pictures) == (1 if self.metric_mode == "NR" else 2)
        assert all(picture.shape == (1, 3, 24, 30) for picture in pictures), "too small"
        return (pictures[0] - sum(pictures[1:])).abs().mean()[None]


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Installs the stand-in; gives what was asked of it."""
    asked = []

    def create_metric(name: str, device: torch.device) -> Distance:
        asked.append((name, str(device)))
        return Distance("NR" if name == "niqe" else "FR")

    monkeypatch.setitem(sys.modules, "pyiqa", SimpleNamespace(create_metric=create_metric))
    return asked


def test_pictures_reach_the_library_as_rgb_in_0_to_1(library):
    measured = extra_metrics(["lpips", "niqe"])(RESULT, REFERENCE)
    assert list(measured) == ["lpips", "niqe"]
    difference = np.abs(RESULT / 255 - REFERENCE / 255).mean()
    assert measured["lpips"] == pytest.approx(difference, rel=1e-5)
    assert measured["niqe"] == pytest.approx(RESULT.mean() / 255, rel=1e-5)


def test_networks_are_set_up_once_and_on_the_device(library):
    measure = extra_metrics(["dists"], device="cpu")
    measure(RESULT, REFERENCE)
    measure(REFERENCE, RESULT)
    assert library == [("dists", "cpu")]


def test_gray_becomes_three_equal_channels(library):
    gray = RESULT[..., :1], REFERENCE[..., :1]
    measured = extra_metrics(["lpips"])(*gray)["lpips"]
    assert measured == pytest.approx(np.abs(gray[0] / 255 - gray[1] / 255).mean(), rel=1e-5)


def test_what_the_library_refuses_is_an_error_of_that_picture(library):
    with pytest.raises(ImageError, match=r"metric lpips does not take the picture.*too small"):
        extra_metrics(["lpips"])(RESULT[:8], REFERENCE[:8])


def test_without_the_library_one_is_told_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyiqa", None)
    with pytest.raises(UsageError, match=r"pip install 'enhance-cli\[perceptual\]'"):
        extra_metrics(["lpips"])


def test_weights_that_cannot_be_fetched_are_a_usage_error(monkeypatch):
    def create_metric(name, device):
        raise OSError("no route to host\nand more")

    monkeypatch.setitem(sys.modules, "pyiqa", SimpleNamespace(create_metric=create_metric))
    with pytest.raises(UsageError, match=r"no route to host.*weights") as error:
        extra_metrics(["dists"])
    assert "\n" not in str(error.value)


def test_unknown_names_are_refused_before_anything_is_loaded(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyiqa", None)
    with pytest.raises(UsageError, match="metric vmaf is unknown; known: ssim-flat, ssim-shrunk, lpips"):
        extra_metrics(["vmaf"])


def test_the_other_ssims_need_no_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyiqa", None)
    measured = extra_metrics(["ssim-flat", "ssim-shrunk"])(RESULT, REFERENCE)
    assert measured == {
        "ssim_flat": ssim(RESULT, REFERENCE, window="flat"),
        "ssim_shrunk": ssim(RESULT, REFERENCE, shrink=True),
    }
