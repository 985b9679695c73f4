"""What a JPEG's quantisation tables tell about its quality, and what its pixels still tell without them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Luma table of ITU-T T.81, annex K.1, row by row.
_LUMA = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ]
).ravel()


def quality_from_tables(tables: dict[int, list[int]]) -> int:
    """libjpeg quality 1..100 whose luma table lies nearest to the first of `tables` (row by row, 64 steps).

    Exact for libjpeg's own tables; other encoders' get the quality of least absolute difference.
    """
    luma = np.asarray(tables[min(tables)])
    return 1 + int(np.abs(_steps() - luma).sum(axis=1).argmin())


def _steps() -> NDArray[np.int64]:
    """(100, 64) luma steps of libjpeg for qualities 1..100 (jpeg_set_quality, baseline)."""
    quality = np.arange(1, 101)[:, None]
    percent = np.where(quality < 50, 5000 // quality, 200 - 2 * quality)
    return np.clip((_LUMA * percent + 50) // 100, 1, 255)
