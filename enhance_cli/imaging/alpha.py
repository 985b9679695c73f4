"""Transparency: whether its edges are hard or soft, and how hard ones are enlarged."""

from __future__ import annotations

import numpy as np

from enhance_cli.imaging.picture import Pixels
from enhance_cli.imaging.resize import imresize

_SOFT_SHARE = 0.2
"""Share of half-transparent pixels among those on an edge from which on edges count as soft."""
_BAND_ROWS = 256


def alpha_is_soft(alpha: Pixels) -> bool:
    """Whether the edges of (H, W) transparency are smooth, as in an antialiased drawing or a photograph.

    An edge lies where neighbours differ. In a cut-out mask nearly all pixels there are clear or opaque; in a
    smooth edge many are in between. Transparency without an edge is not soft: any way of resizing will do.
    """
    full = int(np.iinfo(alpha.dtype).max)
    on_edge = np.zeros(alpha.shape, bool)
    for axis in (0, 1):
        differs = np.diff(alpha.astype(np.int32), axis=axis) != 0
        first, second = (slice(None, -1), slice(1, None))
        for part in (first, second):
            on_edge[(part, slice(None)) if axis == 0 else (slice(None), part)] |= differs
    edges = int(on_edge.sum())
    between = int((on_edge & (alpha > 0) & (alpha < full)).sum())
    return edges > 0 and between >= _SOFT_SHARE * edges


def resized_alpha(alpha: Pixels, size: tuple[int, int]) -> Pixels:
    """(H, W) transparency at `size` = (height, width) by bicubic interpolation that does not ring.

    Each result stays between the smallest and the largest of the (up to four) samples around it, so that no
    halo lies beside a hard edge. Where a side shrinks, its samples are averaged and nothing is limited.
    """
    resized = imresize(alpha, size)
    if size[0] < alpha.shape[0] or size[1] < alpha.shape[1]:
        return resized
    (top, bottom), (left, right) = (_around(n, wanted) for n, wanted in zip(alpha.shape, size, strict=True))
    for start in range(0, size[0], _BAND_ROWS):
        rows = slice(start, start + _BAND_ROWS)
        above, below = alpha[top[rows]], alpha[bottom[rows]]
        low, high = np.minimum(above, below), np.maximum(above, below)
        low, high = np.minimum(low[:, left], low[:, right]), np.maximum(high[:, left], high[:, right])
        np.clip(resized[rows], low, high, out=resized[rows])
    return resized


def flat_parts(alpha: Pixels, size: tuple[int, int]) -> np.ndarray:
    """Where (H, W) transparency, enlarged to `size` = (height, width), lies among equal samples.

    Returns (height, width) of bool. There it has to stay what it is, whatever enlarges it.
    """
    (top, bottom), (left, right) = (_around(n, wanted) for n, wanted in zip(alpha.shape, size, strict=True))
    columns = alpha[:, left] == alpha[:, right]
    equal = columns[top] & columns[bottom]
    for start in range(0, size[0], _BAND_ROWS):
        rows = slice(start, start + _BAND_ROWS)
        equal[rows] &= alpha[top[rows]][:, left] == alpha[bottom[rows]][:, left]
    return equal


def _around(n: int, wanted: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the samples before and after each position of a longer axis."""
    place = (np.arange(wanted) + 0.5) * n / wanted - 0.5
    before = np.floor(place + 1e-9).astype(np.int64)
    return np.clip(before, 0, n - 1), np.clip(before + 1, 0, n - 1)
