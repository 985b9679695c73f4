"""What a JPEG's quantisation tables tell about its quality, and what its pixels still tell without them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from enhance_cli.imaging.colour import jpeg_ycbcr, to_float

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


# Gain in log-likelihood per block from which on a trace is believed.
_EVIDENCE = 1.0
_BLOCKS = 2000
# Spread of a coefficient about its multiple, from rounding to whole levels once or twice, and the share of
# coefficients that clipping throws anywhere.
_ROUNDING, _STRAY = 0.4, 0.05
# Levels by which a mean step between two rows may differ from its neighbours'.
_LARGEST_STEP = 2.0


def quality_from_tables(tables: dict[int, list[int]], luma: int | None = None) -> int:
    """libjpeg quality 1..100 whose luma table lies nearest to one of `tables` (row by row, 64 steps).

    `luma`: number of the table that the luma uses, by default the first. Exact for libjpeg's own tables;
    other encoders' get the quality of least absolute difference.
    """
    steps = np.asarray(tables[luma if luma in tables else min(tables)])
    return 1 + int(np.abs(_steps() - steps).sum(axis=1).argmin())


def _steps() -> NDArray[np.int64]:
    """(100, 64) luma steps of libjpeg for qualities 1..100 (jpeg_set_quality, baseline)."""
    quality = np.arange(1, 101)[:, None]
    percent = np.where(quality < 50, 5000 // quality, 200 - 2 * quality)
    return np.clip((_LUMA * percent + 50) // 100, 1, 255)


def estimate_quality(pixels: NDArray[np.uint8]) -> int | None:
    """libjpeg quality of the JPEG that (H, W, C) pixels once were; None where they show no trace of one.

    The luma's DCT coefficients on the 8x8 grid lie on multiples of the quantisation steps, up to rounding.
    The quality that explains them best must beat "no order at all", and do so on that grid only, not on
    one moved by half a block. Of two compressions on one grid the coarser one is found. Where the picture's
    own grid shows none, the grid is taken to lie where neighbours differ most, as after cropping.
    """
    if min(pixels.shape[:2]) < 24:
        return None
    luma = 255 * (to_float(pixels) if pixels.shape[2] == 1 else jpeg_ycbcr(to_float(pixels)))[..., 0]
    found = _quality(luma)
    if found is not None or min(luma.shape) < 32:
        return found
    top, left = _edge(luma), _edge(luma.T)
    return _quality(luma[top:, left:]) if top or left else None


def _quality(luma: NDArray[np.floating]) -> int | None:
    """Quality by the blocks that begin in the first row and column."""
    coefficients = _coefficients(luma)
    gains = [_gain(coefficients, steps) for steps in _steps()]
    best = int(np.argmax(gains))
    idle = _gain(_coefficients(luma[4:, 4:]), _steps()[best])
    return best + 1 if gains[best] > _EVIDENCE + max(0.0, idle) else None


def _edge(luma: NDArray[np.floating]) -> int:
    """The row, 0 to 7, at which blocks begin: each eighth step from there is larger than its neighbours."""
    steps = np.abs(np.diff(luma, axis=0)).mean(axis=1)
    # A line in the picture itself, and its neighbours, count for little beside so many edges of blocks.
    excess = np.clip(steps[1:-1] - (steps[:-2] + steps[2:]) / 2, -_LARGEST_STEP, _LARGEST_STEP)
    by_row = [float(excess[row::8].mean()) for row in range(8)]
    return (int(np.argmax(by_row)) + 2) % 8


def _gain(coefficients: NDArray[np.float64], steps: NDArray[np.int64]) -> float:
    """Log-likelihood ratio per block of "quantised with `steps`" against coefficients without order."""
    level = coefficients / steps
    multiple = np.rint(level)
    off = (level - multiple) * (steps / _ROUNDING)
    peak = steps / (_ROUNDING * np.sqrt(2 * np.pi))
    ratio = np.log(_STRAY + (1 - _STRAY) * peak * np.exp(-0.5 * off * off))
    # Zeros fit every step, and steps that rounding blurs fit everything.
    told = (multiple != 0) & (steps >= 3)
    # The mean of a block of one colour lies on a lattice anyway: drawings and pixel art are no JPEG.
    told[:, 0] &= told[:, 1:].any(axis=1)
    return float(ratio[told].sum()) / len(coefficients)


def _coefficients(luma: NDArray[np.floating]) -> NDArray[np.float64]:
    """Orthonormal DCT-II coefficients (N, 64) of up to about `_BLOCKS` blocks, evenly spread."""
    height, width = luma.shape[0] // 8, luma.shape[1] // 8
    blocks = luma[: 8 * height, : 8 * width].reshape(height, 8, width, 8).swapaxes(1, 2).reshape(-1, 8, 8)
    chosen = blocks[:: max(1, len(blocks) // _BLOCKS)].astype(np.float64) - 128
    k, n = np.arange(8)[:, None], np.arange(8)
    basis = np.cos(np.pi * (2 * n + 1) * k / 16) / 2
    basis[0] /= np.sqrt(2)
    return (basis @ chosen @ basis.T).reshape(-1, 64)
