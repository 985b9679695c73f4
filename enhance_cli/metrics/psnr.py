"""Peak signal-to-noise ratio."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from enhance_cli.errors import ImageError


def psnr(a: ArrayLike, b: ArrayLike, peak: float = 255.0) -> float:
    """PSNR in dB of two arrays (H, W) or (H, W, C) on the scale 0..`peak`; inf if they are equal.

    The error is averaged over all pixels and channels. Raises ImageError if the shapes differ.
    """
    x, y = paired(a, b)
    return decibels(mean_square(x - y), peak)


def paired(a: ArrayLike, b: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Both arrays as float64. Raises ImageError if their shapes differ."""
    x, y = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if x.shape != y.shape:
        raise ImageError(
            f"cannot compare a picture of {_size(x)} with one of {_size(y)}: the sizes must be equal"
        )
    return x, y


def mean_square(x: NDArray[np.float64]) -> float:
    """Mean of the squares; NaN if `x` is empty."""
    return float(np.vdot(x, x)) / x.size if x.size else math.nan


def decibels(error: float, peak: float) -> float:
    """Bring a mean squared error to dB below `peak`; inf for 0."""
    return math.inf if error == 0 else 10 * math.log10(peak * peak / error)


def _size(x: NDArray[Any]) -> str:
    channels = f"x{x.shape[2]}" if x.ndim == 3 else ""
    return f"{x.shape[1]}x{x.shape[0]}{channels}" if x.ndim >= 2 else f"shape {x.shape}"
