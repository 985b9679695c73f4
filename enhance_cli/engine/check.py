"""Whether a network's result may be written at all.

Reduced precision and broken drivers give NaN, black or tinted pictures with status "success".  These checks
are coarse enough to let every honest restoration pass, noise of sigma 75 included.
"""

from __future__ import annotations

import numpy as np

from enhance_cli.runtimes.contract import Batch

BLACK_LEVEL = 1 / 255
"""A result that stays below this everywhere is black."""
LIT_BLOCK_MEAN = 0.15
"""Mean of an 8x8 block from which the input counts as not black; clipped noise on black stays below."""
LIT_MEDIAN, MEDIAN_PIXELS = 0.03, 4096
"""Median of a channel from which the input counts as not black, and pixels needed to know it: of noise on
black half is black, however strong it is."""
LARGEST_SHIFT = 0.25
"""Largest change of a channel's mean."""
MEAN_PIXELS = 64
"""Pixels needed before a mean says anything under noise."""


def fault_of(x: Batch, y: Batch) -> str | None:
    """What is wrong with result y of input x, or None.

    x: (N, C, H, W), y: (N, C, s H, s W), both with nominal range [0, 1] and of the same part of the picture.
    """
    # One cheap pass tells most: no mean is finite over NaN or Inf, and none of a black channel is lighter.
    with np.errstate(invalid="ignore", over="ignore"):
        means = y.mean((2, 3))
    if not np.isfinite(means).all():
        return "holds NaN or Inf"
    if means.max() < BLACK_LEVEL and y.max() < BLACK_LEVEL and _is_lit(x):
        return "is black although the input is not"
    if x.shape[2] * x.shape[3] < MEAN_PIXELS:
        return None
    shift = float(np.abs(means - x.mean((2, 3))).max())
    if shift > LARGEST_SHIFT:
        return f"is shifted in colour by {shift:.2f} of the full range"
    return None


def filled_mosaic(mosaic: Batch) -> Batch:
    """(N, 3, H, W) mosaic with zeros, its samples brightened so that its means are those of the picture."""
    return mosaic * np.array([4, 2, 4], np.float32).reshape(1, 3, 1, 1)


def _is_lit(x: Batch) -> bool:
    n, channels, height, width = x.shape
    side_y, side_x = min(8, height), min(8, width)
    whole = x[..., : height // side_y * side_y, : width // side_x * side_x]
    blocks = whole.reshape(n, channels, height // side_y, side_y, width // side_x, side_x)
    if blocks.mean((3, 5)).max() > LIT_BLOCK_MEAN:
        return True
    return height * width >= MEDIAN_PIXELS and bool(np.median(x, (2, 3)).max() > LIT_MEDIAN)
