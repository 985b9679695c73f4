"""Structural similarity (Wang, Bovik, Sheikh, Simoncelli, IEEE TIP 2004), and two variants in use."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from enhance_cli.errors import ImageError
from enhance_cli.metrics.psnr import paired

Window = Literal["gaussian", "flat"]
"""What the moments are weighted with: 11x11 Gaussian, sigma 1.5 (the paper's), or 8x8 pixels alike."""

WINDOW_SIDE = 11
"""Pixels of the side of the Gaussian window: what a picture must have at least."""
_SIDES: dict[Window, int] = {"gaussian": WINDOW_SIDE, "flat": 8}
_SIGMA = 1.5
_K1, _K2 = 0.01, 0.03
_SHRUNK_SIDE = 256
"""Pixels to which the shorter side is shrunk, or nearly so."""


def ssim(
    a: ArrayLike, b: ArrayLike, peak: float = 255.0, *, window: Window = "gaussian", shrink: bool = False
) -> float:
    """Mean SSIM of two arrays (H, W) or (H, W, C) on the scale 0..`peak`; 1 if they are equal.

    K = (0.01, 0.03), population moments; only windows that lie wholly inside count. Colour is the mean over
    the channels. `window` "flat" is that of JPEG papers around AR-CNN. `shrink` first takes means of f x f
    pixels, f = max(1, round(min(H, W) / 256)), as Wang's ssim.m does. Both give higher figures.
    Raises ImageError if the shapes differ or a side is shorter than the window.
    """
    x, y = paired(a, b)
    if shrink and x.ndim > 1:
        factor = max(1, int(min(x.shape[:2]) / _SHRUNK_SIDE + 0.5))
        x, y = _shrunk(x, factor), _shrunk(y, factor)
    side = _SIDES[window]
    if min(x.shape[:2]) < side:
        raise ImageError(f"SSIM needs at least {side}x{side} pixels, not {x.shape[1]}x{x.shape[0]}")
    # Weights along one axis, (n, 1).
    gaussian = np.asarray(cv2.getGaussianKernel(side, _SIGMA), np.float64)
    taps = np.full((side, 1), 1 / side) if window == "flat" else gaussian
    planes = [(x, y)] if x.ndim == 2 else [(x[..., c], y[..., c]) for c in range(x.shape[2])]
    c1, c2 = (_K1 * peak) ** 2, (_K2 * peak) ** 2
    found = []
    for p, q in planes:
        mp, mq = _smooth(p, taps), _smooth(q, taps)
        mpq = mp * mq
        squares = mp * mp + mq * mq
        # Var p + Var q needs one filtering only, since both enter as their sum.
        variances = _smooth(p * p + q * q, taps) - squares
        covariance = _smooth(p * q, taps) - mpq
        similarity = (2 * mpq + c1) * (2 * covariance + c2) / ((squares + c1) * (variances + c2))
        found.append(float(np.mean(similarity)))
    return float(np.mean(found))


def _smooth(x: NDArray[np.float64], taps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weighted means over the windows that lie wholly inside: (H, W) -> (H - n + 1, W - n + 1)."""
    n, (height, width) = len(taps), x.shape
    # Anchored in its middle, so that OpenCV's edges touch only what is cut off.
    first = n // 2
    whole = cv2.sepFilter2D(np.ascontiguousarray(x), cv2.CV_64F, taps, taps, anchor=(first, first))
    return np.asarray(whole, np.float64)[first : first + height - n + 1, first : first + width - n + 1]


def _shrunk(x: NDArray[np.float64], factor: int) -> NDArray[np.float64]:
    """Mean of factor x factor pixels, edges mirrored, at every `factor`-th pixel from the first."""
    if factor == 1:
        return x
    # MATLAB's imfilter puts the centre of an even window before its middle.
    anchor = ((factor - 1) // 2,) * 2
    means = cv2.blur(np.ascontiguousarray(x), (factor, factor), anchor=anchor, borderType=cv2.BORDER_REFLECT)
    return np.asarray(means, np.float64).reshape(x.shape)[::factor, ::factor]
