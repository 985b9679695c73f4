"""Evenly spread parts of a picture, which stand for the whole where only statistics are wanted."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from enhance_cli.imaging.picture import Pixels

MAX_PIXELS = 1 << 20
"""Pixels looked at, at most: more would make estimates slower and hardly better."""
LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def surveyed(pixels: Pixels | NDArray[np.floating], side: int, multiple: int) -> NDArray[np.float32]:
    """Square tiles (N, side, side, C) of (H, W, C) pixels, evenly spread, float32 on the scale 0..255.

    `MAX_PIXELS` pixels at most.  uint8 and uint16 are scaled by their range, floats are taken as 0..1.
    Pictures smaller than a tile give tiles of the largest multiple of `multiple` that fits, or none if that
    is 0.  C is 1 for gray pictures, also for those in three equal channels.
    """
    height, width = pixels.shape[:2]
    side = min(side, min(height, width) // multiple * multiple)
    if side == 0:
        return np.zeros((0, multiple, multiple, pixels.shape[2]), np.float32)
    rows, columns = height // side, width // side
    stride = max(1.0, (rows * columns * side * side / MAX_PIXELS) ** 0.5)
    tops = (height - rows * side) // 2 + side * (np.arange(int(rows / stride) or 1) * stride).astype(int)
    lefts = (width - columns * side) // 2 + side * (np.arange(int(columns / stride) or 1) * stride).astype(
        int
    )
    chosen = np.stack(
        [pixels[y : y + side, x : x + side] for y in tops for x in lefts][: MAX_PIXELS // side**2]
    )
    if chosen.shape[3] == 3 and (chosen[..., :1] == chosen).all():
        chosen = chosen[..., :1]
    integer = np.issubdtype(pixels.dtype, np.integer)
    scale = 255 / np.iinfo(pixels.dtype).max if integer else 255.0  # type: ignore[type-var]
    return chosen.astype(np.float32) * np.float32(scale)


def halved(planes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Means of 2x2 pixels over the last two axes, whose lengths are even."""
    return (
        planes[..., ::2, ::2] + planes[..., 1::2, ::2] + planes[..., ::2, 1::2] + planes[..., 1::2, 1::2]
    ) / np.float32(4)


def blocks(planes: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """(C, N, h, w) -> (C, M, side, side); what is left over at the right and the bottom is dropped."""
    channels, count, height, width = planes.shape
    rows, columns = height // side, width // side
    whole = planes[:, :, : rows * side, : columns * side]
    split = whole.reshape(channels, count, rows, side, columns, side).swapaxes(3, 4)
    return split.reshape(channels, -1, side, side)


def cosines(side: int) -> NDArray[np.float32]:
    """The orthonormal DCT-II of `side` samples as a matrix, one basis vector a row."""
    k, n = np.arange(side)[:, None], np.arange(side)
    basis = np.cos(np.pi * (2 * n + 1) * k / (2 * side)) * np.sqrt(2 / side)
    basis[0] /= np.sqrt(2)
    return np.asarray(basis, np.float32)
