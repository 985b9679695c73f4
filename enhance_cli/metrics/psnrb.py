"""PSNR that also counts blocking (Yim and Bovik, IEEE TIP 2011)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from enhance_cli.metrics.psnr import decibels, mean_square, paired


def psnrb(reference: ArrayLike, restored: ArrayLike, block: int = 8) -> float:
    """PSNR-B in dB of arrays (H, W) or (H, W, C) on the scale 0..255; inf if nothing differs or blocks.

    10 log10(255^2 / (MSE + BEF)), where BEF is the blocking effect factor of `restored` alone, so the order
    of the arguments matters. Raises ImageError if the shapes differ.
    """
    x, y = paired(reference, restored)
    return decibels(mean_square(x - y) + blocking(y, block), 255.0)


def blocking(x: NDArray[np.float64], block: int = 8) -> float:
    """Blocking effect factor: how much steps across block edges exceed the other steps, weighted by size.

    eta (D_B - D_Bc) with eta = log2(block) / log2(min(H, W)), 0 where the block edges do not stand out.
    """
    across, down = np.diff(x, axis=1), np.diff(x, axis=0).swapaxes(0, 1)
    edges = [steps[:, block - 1 :: block] for steps in (across, down)]
    inner = [np.delete(steps, np.s_[block - 1 :: block], axis=1) for steps in (across, down)]
    if not sum(e.size for e in edges) or not sum(i.size for i in inner):
        return 0.0
    excess = _pooled(edges) - _pooled(inner)
    if excess <= 0:
        return 0.0
    return excess * math.log2(block) / math.log2(max(2, min(x.shape[:2])))


def _pooled(parts: list[NDArray[np.float64]]) -> float:
    """Mean square over all parts together."""
    return mean_square(np.concatenate([part.ravel() for part in parts]))
