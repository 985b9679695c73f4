"""Additive white Gaussian noise on the 0..255 scale."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def add_noise(x: NDArray[np.uint8] | NDArray[np.float32], sigma: float, seed: int) -> NDArray[np.float32]:
    """Add noise of standard deviation `sigma` to an array in 0..255; neither clipped nor rounded."""
    noise = np.random.default_rng(seed).standard_normal(x.shape)
    return (x + sigma * noise).astype(np.float32)


def add_noise_batch(x: Tensor, sigma: Tensor, generator: torch.Generator) -> Tensor:
    """Add noise to (N, C, H, W) in 0..255 with one sigma per sample, (N,)."""
    noise = torch.randn(x.shape, generator=generator, device=x.device)
    return x + noise * sigma[:, None, None, None]
