"""Photographs after a long way: blurred, resized, noisy and compressed, each twice and in no fixed order.

The second-order chain of Real-ESRGAN (Wang et al., ICCVW 2021) and the shuffling of BSRGAN (Zhang et al.,
ICCV 2021), for networks that enlarge what people have. How bad a picture is, is drawn first, from nearly
clean upwards, so that clean pictures are known as well; `degrade.photo` is the milder chain in a fixed order
that benchmarks use.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from enhance_cli.degrade.bicubic import resize_batch
from enhance_cli.degrade.camera import camera_grain
from enhance_cli.degrade.jpeg import compress_batch
from enhance_cli.degrade.shake import convolved

BLUR_SIZE = 21
"""Pixels of a kernel's side."""
GRID = 16
"""JPEG with halved chroma codes blocks of 16x16."""
CLEAN = 0.1
"""Share of batches that are shrunk and nothing else."""
Step = Callable[[Tensor], Tensor]


def worn_batch(x: Tensor, scale: int, rng: np.random.Generator, generator: torch.Generator) -> Tensor:
    """Small, worn pictures (N, C, side, side) of crops (N, C, s, s), both on whole levels 0..255.

    s = scale x side, side a multiple of GRID. Sizes, filters and the order of the steps are the same for a
    batch; blur, noise and quality are each sample's own.
    """
    side = x.shape[-1] // scale
    if rng.random() < CLEAN:
        return _levels(_resized(x, side, "bicubic"))
    severity = rng.random(len(x)) ** 1.5
    between = GRID * max(2, round(side * float(rng.choice([1.0, scale, rng.uniform(0.6, scale)])) / GRID))
    first: list[Step] = [
        lambda y: _blurred(y, rng, 0.6 * scale * severity),
        lambda y: _resized(y, between, _filter(rng)),
        lambda y: _noisy(y, rng, severity, generator),
        lambda y: _compressed(y, rng, severity, share=0.5),
    ]
    second: list[Step] = [
        lambda y: _blurred(y, rng, 0.8 * severity * (rng.random(len(x)) < 0.4)),
        lambda y: _resized(y, side, _filter(rng)),
        lambda y: _noisy(y, rng, 0.3 * severity, generator),
    ]
    for step in [*first, *(second[int(i)] for i in rng.permutation(len(second)))]:
        x = _levels(step(x))
    return _levels(_compressed(x, rng, severity, share=0.8))


def _blurred(x: Tensor, rng: np.random.Generator, widths: NDArray[np.float64]) -> Tensor:
    """Blur each sample by a kernel about as wide as told, in pixels; the border is mirrored."""
    kernels = torch.from_numpy(np.stack([blur_kernel(rng, width) for width in widths])).to(x.device)
    return convolved(F.pad(x, (BLUR_SIZE // 2,) * 4, mode="reflect"), kernels)


def blur_kernel(rng: np.random.Generator, width: float) -> NDArray[np.float32]:
    """(BLUR_SIZE, BLUR_SIZE), sums to 1: a Gaussian of one or two widths, flatter or more peaked, or a sinc
    that rings.

    `width`: standard deviation in pixels, of which 0.3 to 1.7 times as much is drawn; below a third it is
    sharp.
    """
    offsets = np.arange(BLUR_SIZE) - BLUR_SIZE // 2
    if rng.random() < 0.08:
        # An ideal low-pass filter along both axes, what sharpening and bad resizing leave.
        cutoff = 1 / (1 + min(width, 2))
        line = np.sinc(cutoff * offsets)
        kernel = np.outer(line, line)
    else:
        along = max(width * rng.uniform(0.3, 1.7), 0.1)
        across = max(along * rng.choice([1.0, rng.uniform(0.4, 1.0)]), 0.1)
        angle = rng.uniform(0, math.pi)
        y, x = np.meshgrid(offsets, offsets, indexing="ij")
        u, v = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
        power = rng.choice([1.0, rng.uniform(0.5, 2.0)])
        kernel = np.exp(-0.5 * ((u / along) ** 2 + (v / across) ** 2) ** power)
    return (kernel / kernel.sum()).astype(np.float32)


def _filter(rng: np.random.Generator) -> str:
    return str(rng.choice(["bicubic", "bilinear", "area", "nearest-exact"], p=[0.5, 0.25, 0.2, 0.05]))


def _resized(x: Tensor, side: int, mode: str) -> Tensor:
    """Squares (N, C, S, S) to (N, C, side, side); bicubic is MATLAB's."""
    if mode == "bicubic":
        return resize_batch(x, side)
    if mode == "bilinear":
        return F.interpolate(x, size=side, mode=mode, antialias=True)
    return F.interpolate(x, size=side, mode=mode)


def _noisy(
    x: Tensor, rng: np.random.Generator, severity: NDArray[np.float64], generator: torch.Generator
) -> Tensor:
    """Add a camera's noise, or white noise to one picture in four, up to about 20 levels at severity 1."""
    sigma = torch.from_numpy(20 * severity * rng.random(len(x)) ** 2).to(x)[:, None, None, None]
    if rng.random() < 0.25:
        return x + sigma * torch.randn(x.shape, generator=generator, device=x.device)
    grain = camera_grain(x, generator)
    return x + sigma * grain / grain.std((1, 2, 3), keepdim=True).clamp_min(1e-6)


def _compressed(
    x: Tensor, rng: np.random.Generator, severity: NDArray[np.float64], *, share: float
) -> Tensor:
    """Compress a share of the samples as JPEG, the worse ones more."""
    n, side = len(x), x.shape[-1]
    quality = torch.from_numpy(98 - (rng.uniform(0.2, 1, n) * 68 * severity).round()).to(x)
    fitting = F.pad(x, (0, -side % GRID) * 2, mode="replicate")
    coded = compress_batch(fitting, quality, subsample=bool(rng.random() < 0.7))[..., :side, :side]
    chosen = torch.from_numpy(rng.random(n) < share).to(x.device)
    return torch.where(chosen[:, None, None, None], coded, x)


def _levels(x: Tensor) -> Tensor:
    return x.round().clamp(0, 255)
