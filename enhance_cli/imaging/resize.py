"""Bicubic resizing that agrees with MATLAB's `imresize` bit for bit.

Cubic convolution of Keys (IEEE TASSP 1981) with a = -0.5, one axis after the other, height first. When an
axis shrinks, the kernel is stretched by the factor (antialiasing). Pixel centres of both grids cover the
same extent: output i lies at (i + 0.5) / scale - 0.5.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Edges = Literal["mirror", "replicate"]
"""What lies outside: "mirror" repeats the edge pixel once (current MATLAB), "replicate" for ever (older)."""

_BLOCK_SAMPLES = 1 << 20


def imresize(
    x: NDArray[Any], size: tuple[int, int], *, scale: float | None = None, edges: Edges = "mirror"
) -> NDArray[Any]:
    """Resize (H, W) or (H, W, C) to `size` = (height, width) and keep the data type.

    `scale` is the factor output / input for both axes where it is known better than the rounded sizes
    tell; without it each axis has its own. Integers (uint8, uint16) are rounded and clipped after each
    pass, as MATLAB does; floats are summed in float64 and neither rounded nor clipped. Works in blocks of
    rows, so that it needs little memory beside input and output. Raises ValueError for empty sizes.
    """
    rows, row_weights = weights(x.shape[0], size[0], scale, edges)
    columns, column_weights = weights(x.shape[1], size[1], scale, edges)
    out = np.empty((*size, *x.shape[2:]), dtype=x.dtype)
    step = max(1, _BLOCK_SAMPLES // max(1, math.prod(out.shape[1:]), math.prod(x.shape[1:])))
    for top in range(0, size[0], step):
        block = slice(top, top + step)
        tall = _settle(_blend(x, rows[block], row_weights[block], axis=0), x.dtype)
        out[block] = _settle(_blend(tall, columns, column_weights, axis=1), x.dtype)
    return out


def weights(
    n_in: int, n_out: int, scale: float | None, edges: Edges = "mirror"
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Which inputs make each output of one axis, and by how much.

    Returns indices (n_out, taps) in 0..n_in-1 and weights (n_out, taps) whose rows sum to 1. `scale` is
    output / input, by default n_out / n_in.
    """
    if n_in < 1 or n_out < 1:
        raise ValueError(f"cannot resize {n_in} samples to {n_out}")
    factor = n_out / n_in if scale is None else scale
    squeeze = min(factor, 1.0)
    reach = 4 / squeeze
    # One-based, like the original, so that halves fall on the same side of each rounding.
    centres = np.arange(1, n_out + 1) / factor + 0.5 * (1 - 1 / factor)
    first = np.floor(centres - reach / 2).astype(np.int64)
    indices = first[:, None] + np.arange(math.ceil(reach) + 2)
    x = np.abs(squeeze * (centres[:, None] - indices))
    # Keys' kernel for a = -0.5.
    x2, x3 = x * x, x * x * x
    near, far = 1.5 * x3 - 2.5 * x2 + 1, -0.5 * x3 + 2.5 * x2 - 4 * x + 2
    taps = squeeze * np.where(x <= 1, near, np.where(x <= 2, far, 0.0))
    taps /= taps.sum(axis=1, keepdims=True)
    used = taps.any(axis=0)
    inside = indices[:, used] - 1
    if edges == "replicate":
        return np.clip(inside, 0, n_in - 1), taps[:, used]
    turn = inside % (2 * n_in)
    return np.minimum(turn, 2 * n_in - 1 - turn), taps[:, used]


def _blend(
    x: NDArray[Any], indices: NDArray[np.int64], taps: NDArray[np.float64], axis: Literal[0, 1]
) -> NDArray[np.float64]:
    """Weighted sums along `axis`, tap by tap: one order of summation for every block size."""
    shape = [1] * x.ndim
    shape[axis] = len(indices)
    total: NDArray[np.float64] | None = None
    for which, weight in zip(indices.T, taps.T, strict=True):
        part = np.multiply(np.take(x, which, axis=axis), weight.reshape(shape), dtype=np.float64)
        total = part if total is None else np.add(total, part, out=total)
    assert total is not None
    return total


def _settle(x: NDArray[np.float64], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Round half up and clip for integer types; floats stay float64 until they are stored."""
    if dtype.kind == "f":
        return x
    np.floor(np.add(x, 0.5, out=x), out=x)
    return np.clip(x, 0, np.iinfo(dtype).max, out=x)
