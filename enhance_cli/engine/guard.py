"""Says whether a network's result may be written at all.

Reduced precision and broken drivers give NaN, black or tinted pictures with status "success"; these
checks are coarse enough to let every honest restoration pass, noise of sigma 75 included.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

BLACK = 1 / 255
"""A result that stays below this everywhere is black."""
LIT = 0.15
"""Mean of an 8x8 block from which the input counts as not black; clipped noise on black stays below."""
DIM, ENOUGH = 0.03, 4096
"""Median of a channel from which the input counts as not black, and pixels needed to know it: of noise on
black half is black, however strong it is."""
SHIFT = 0.25
"""Largest change of a channel's mean."""
FEWEST = 64
"""Pixels needed before a mean says anything under noise."""


def problem(x: Tensor, y: Tensor) -> str | None:
    """What is wrong with result y of input x, or None.

    x: (N, C, H, W), y: (N, C, s H, s W), both float32 with nominal range [0, 1], covering the same part
    of the picture.
    """
    # One cheap pass tells most: no mean is finite over NaN or Inf, and none of a black channel is lighter.
    means = y.mean((2, 3))
    if not torch.isfinite(means).all():
        return "holds NaN or Inf"
    if means.max() < BLACK and y.max() < BLACK and _is_lit(x):
        return "is black although the input is not"
    if x.shape[-2] * x.shape[-1] < FEWEST:
        return None
    shift = (means - x.mean((2, 3))).abs().max().item()
    if shift > SHIFT:
        return f"is shifted in colour by {shift:.2f} of the full range"
    return None


def as_if_full(mosaic: Tensor) -> Tensor:
    """(N, 3, H, W) mosaic with zeros, its samples brightened so that its means are those of the picture."""
    return mosaic * mosaic.new_tensor([4.0, 2.0, 4.0]).view(1, 3, 1, 1)


def _is_lit(x: Tensor) -> bool:
    block = (min(8, x.shape[-2]), min(8, x.shape[-1]))
    if F.avg_pool2d(x, block).max() > LIT:
        return True
    channels = x.flatten(2)
    return channels.shape[2] >= ENOUGH and bool(channels.median(2).values.max() > DIM)
