"""PSNR and SSIM against two libraries that were written by others."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from pytorch_msssim import ssim as by_pytorch_msssim
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from enhance_cli.metrics.psnr import psnr
from enhance_cli.metrics.ssim import ssim

TOLERANCE = 1e-4


def pairs(n: int = 50) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Waves and noise beside a noisier copy: gray and colour by turns, sides odd."""
    rng = np.random.default_rng(0)
    for number in range(n):
        height, width = rng.integers(11, 120, 2) | 1
        channels = (1, 3)[number % 2]
        y, x = np.mgrid[:height, :width] / rng.uniform(3, 20)
        waves = 128 + 100 * np.sin(x + y)[..., None] * rng.uniform(0.3, 1, channels)
        clean = np.clip(waves + rng.normal(0, 10, waves.shape), 0, 255).astype(np.uint8)
        noisy = np.rint(clean + rng.normal(0, rng.uniform(1, 40), clean.shape))
        yield clean, np.clip(noisy, 0, 255).astype(np.uint8)


@pytest.mark.parametrize(("a", "b"), tuple(pairs()))
def test_psnr_and_ssim_are_those_of_other_libraries(a: np.ndarray, b: np.ndarray):
    gaussian = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    theirs = structural_similarity(a, b, data_range=255, channel_axis=2, **gaussian)
    assert ssim(a, b) == pytest.approx(theirs, abs=TOLERANCE)
    x, y = (torch.from_numpy(z).permute(2, 0, 1)[None].double() for z in (a, b))
    assert ssim(a, b) == pytest.approx(float(by_pytorch_msssim(x, y, data_range=255)), abs=TOLERANCE)
    assert psnr(a, b) == pytest.approx(peak_signal_noise_ratio(a, b, data_range=255), abs=TOLERANCE)
