"""Structural similarity (Wang, Bovik, Sheikh, Simoncelli, IEEE TIP 2004)."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from enhance_cli.errors import ImageError
from enhance_cli.metrics.psnr import paired

WINDOW = 11
_SIGMA = 1.5
_K1, _K2 = 0.01, 0.03


def ssim(a: ArrayLike, b: ArrayLike, peak: float = 255.0) -> float:
    """Mean SSIM of two arrays (H, W) or (H, W, C) on the scale 0..`peak`; 1 if they are equal.

    Window 11x11, Gaussian with sigma 1.5, K = (0.01, 0.03), population moments; only windows that lie wholly
    inside count. Colour is the mean over the channels. Raises ImageError if the shapes differ or
    a side is shorter than the window.
    """
    x, y = paired(a, b)
    if min(x.shape[:2]) < WINDOW:
        raise ImageError(f"SSIM needs at least {WINDOW}x{WINDOW} pixels, not {x.shape[1]}x{x.shape[0]}")
    planes = [(x, y)] if x.ndim == 2 else [(x[..., c], y[..., c]) for c in range(x.shape[2])]
    return float(np.mean([_plane(p, q, peak) for p, q in planes]))


def _plane(x: NDArray[np.float64], y: NDArray[np.float64], peak: float) -> float:
    c1, c2 = (_K1 * peak) ** 2, (_K2 * peak) ** 2
    mx, my = _smooth(x), _smooth(y)
    mxy = mx * my
    squares = mx * mx + my * my
    # Var x + Var y needs one filtering only, since both enter as their sum.
    variances = _smooth(x * x + y * y) - squares
    covariance = _smooth(x * y) - mxy
    return float(np.mean((2 * mxy + c1) * (2 * covariance + c2) / ((squares + c1) * (variances + c2))))


def _smooth(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Gaussian means over the windows that lie wholly inside: (H, W) -> (H - 10, W - 10)."""
    kernel = cv2.getGaussianKernel(WINDOW, _SIGMA, cv2.CV_64F)
    edge = WINDOW // 2
    whole: NDArray[np.float64] = np.asarray(
        cv2.sepFilter2D(np.ascontiguousarray(x), cv2.CV_64F, kernel, kernel), dtype=np.float64
    )
    return whole[edge:-edge, edge:-edge]
