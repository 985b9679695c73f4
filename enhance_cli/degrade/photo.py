"""What befalls a photograph before anybody restores it: blur, noise, resizing, JPEG twice.

The chain of BSRGAN (Zhang et al., ICCV 2021) in a fixed order and a narrower range: the lens, the sensor's
noise as the camera's smoothing leaves it, the camera's file, another size for sharing, another file.
Training and benchmarks draw from the same ranges, with other seeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count, islice

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from enhance_cli.degrade.bicubic import resize_batch
from enhance_cli.degrade.blur import blur_batch
from enhance_cli.degrade.jpeg import compress, compress_batch
from enhance_cli.imaging.resize import imresize

BLUR_SIZE, MOST_SCALE = 25, 4
"""Side of blur kernels, in pixels of the clean picture, and the largest scale whose blur they hold."""
GRID = 16
"""JPEG with halved chroma codes blocks of 16x16."""
QUALITY = (30, 95)
"""Usual range of the shared file's JPEG quality."""
_GRAIN_SIZE = 5


@dataclass(frozen=True, eq=False)
class Fate:
    """Drawn once for a picture."""

    kernel: NDArray[np.float32]
    """(BLUR_SIZE, BLUR_SIZE), sums to 1; point symmetric."""
    first_size: float
    """Sides of the camera's picture over those of the shared one, 1 to 2."""
    noise: float
    """Standard deviation, 0..255 scale."""
    grain: NDArray[np.float32]
    """(5, 5), the squares sum to 1: what white noise is convolved with."""
    first_quality: int | None
    """Of the camera's file; None if the picture is compressed once only."""
    last_quality: int
    subsample: bool
    """Whether the files halve the chroma."""


def draw(rng: np.random.Generator, scale: int, quality: tuple[int, int] = QUALITY) -> Fate:
    """A fate for a picture that is shrunk by `scale`, at most MOST_SCALE; with 1, it is not blurred.

    `quality` bounds that of the last file, both included.  Gaussian blur has 0.2 to 1.2 pixels of the small
    picture along either axis; noise is mostly weak.
    """
    along, across = rng.uniform(0.2, 1.2, 2) * scale if scale > 1 else (0.0, 0.0)
    kernel = _gaussian(BLUR_SIZE, along, across, rng.uniform(0, np.pi))
    width = rng.choice([0.0, rng.uniform(0.4, 1.0)])
    grain = _gaussian(_GRAIN_SIZE, width, width, 0.0)
    shared = rng.random() < 0.5
    return Fate(
        kernel=kernel,
        first_size=rng.uniform(1, 2) if shared else 1.0,
        noise=12 * rng.random() ** 2,
        grain=grain / np.sqrt(np.square(grain).sum()),
        first_quality=int(rng.integers(50, 99)) if shared or rng.random() < 0.2 else None,
        last_quality=int(rng.integers(*quality, endpoint=True)),
        subsample=bool(rng.random() < 0.75),
    )


def draw_batch(rng: np.random.Generator, n: int, scale: int, quality: tuple[int, int]) -> list[Fate]:
    """Fates for a batch: of all pictures the camera's have another size, or of none."""
    first = draw(rng, scale, quality)
    others = (draw(rng, scale, quality) for _ in count())
    alike = (fate for fate in others if (fate.first_size > 1) == (first.first_size > 1))
    return [first, *islice(alike, n - 1)]


def photograph(
    x: NDArray[np.uint8], scale: int, seed: int, quality: tuple[int, int] = QUALITY
) -> NDArray[np.uint8]:
    """The small, spoilt picture (H / scale, W / scale, C) of a mod-cropped (H, W, C) uint8 one."""
    rng = np.random.default_rng(seed)
    fate = draw(rng, scale, quality)
    size = (x.shape[0] // scale, x.shape[1] // scale)
    y = cv2.filter2D(x.astype(np.float32), -1, fate.kernel, borderType=cv2.BORDER_REFLECT)
    y = imresize(y.reshape(x.shape), tuple(round(side * fate.first_size) for side in size))
    white = rng.standard_normal(y.shape).astype(np.float32)
    noise = cv2.filter2D(white, -1, fate.grain, borderType=cv2.BORDER_REFLECT).reshape(y.shape)
    coded = np.clip(np.rint(y + fate.noise * noise), 0, 255).astype(np.uint8)
    subsampling = "4:2:0" if fate.subsample else "4:4:4"
    if fate.first_quality is not None:
        coded = compress(coded, fate.first_quality, subsampling)
    if coded.shape[:2] != size:
        coded = imresize(coded, size)
    return compress(coded, fate.last_quality, subsampling)


def photograph_batch(x: Tensor, scale: int, fates: Sequence[Fate], generator: torch.Generator) -> Tensor:
    """The small, spoilt pictures (N, C, side, side) of crops (N, C, s, s), all on whole levels 0..255.

    s = scale x side + BLUR_SIZE - 1, side a multiple of GRID.  Chroma and the camera's size, to the next
    multiple of GRID, are those of the first fate.
    """
    kernels, grains = (
        torch.from_numpy(np.stack(kernels)).to(x.device)
        for kernels in ([fate.kernel for fate in fates], [fate.grain for fate in fates])
    )
    blurred = blur_batch(x, kernels)
    side = blurred.shape[-1] // scale
    camera = resize_batch(blurred, GRID * round(side * fates[0].first_size / GRID))
    margin = _GRAIN_SIZE // 2
    white = torch.randn(F.pad(camera, (margin,) * 4).shape, generator=generator, device=x.device)
    noise = torch.tensor([fate.noise for fate in fates], device=x.device)[:, None, None, None]
    camera = (camera + noise * blur_batch(white, grains)).round_().clamp_(0, 255)
    twice = torch.tensor([fate.first_quality is not None for fate in fates], device=x.device)
    first = torch.tensor([fate.first_quality or 100 for fate in fates], device=x.device)
    last = torch.tensor([fate.last_quality for fate in fates], device=x.device)
    coded = compress_batch(camera, first, subsample=fates[0].subsample)
    shared = torch.where(twice[:, None, None, None], coded, camera)
    shared = resize_batch(shared, side).round_().clamp_(0, 255)
    return compress_batch(shared, last, subsample=fates[0].subsample)


def _gaussian(size: int, along: float, across: float, angle: float) -> NDArray[np.float32]:
    """A (size, size) kernel that sums to 1, with two standard deviations in pixels; 0 is no blur."""
    offsets = np.arange(size) - size // 2
    y, x = np.meshgrid(offsets, offsets, indexing="ij")
    u, v = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    # Below a third of a pixel, nothing but the centre is left.
    kernel = np.exp(-0.5 * ((u / max(along, 0.1)) ** 2 + (v / max(across, 0.1)) ** 2))
    return (kernel / kernel.sum()).astype(np.float32)
