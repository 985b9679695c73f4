"""Whether blocks of a picture hold noise or nothing but the picture: a small network over their spectra.

Its numbers are fitted by `benchmarks/fit_estimates.py`.
"""

from __future__ import annotations

import json
from importlib.resources import files
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from enhance_cli.imaging.survey import LUMA, blocks, cosines, halved

SIDE = 32
_DCT = cosines(SIDE)
_ROWS, _COLUMNS = np.indices((SIDE, SIDE))
_RADIUS = np.hypot(_ROWS, _COLUMNS).ravel()
_RINGS = [
    (inner <= _RADIUS) & (outer > _RADIUS)
    for inner, outer in pairwise((1, 2, 3, 4.5, 6.5, 9, 12.5, 17, 23, 45))
]
_DIFFERENCE = (_COLUMNS - _ROWS).ravel()
_MIN_BLOCKS = 8


def evidence(tiles: NDArray[np.float32]) -> float | None:
    """Mean log-odds of noise over the quarter of blocks that look most like it; None for too few blocks.

    `tiles` are (N, side, side, C) on the scale 0..255, as `survey.surveyed` gives them.
    """
    features = block_features(tiles)
    if len(features) < _MIN_BLOCKS:
        return None
    network = json.loads((files("enhance_cli.imaging") / "noise_evidence.json").read_text())
    hidden = np.tanh(features @ np.array(network["inner"]).T + network["inner_bias"])
    odds = hidden @ np.array(network["outer"]) + network["outer_bias"]
    return float(np.sort(odds)[-max(1, len(odds) // 4) :].mean())


def block_features(tiles: NDArray[np.float32], *, everything: bool = False) -> NDArray[np.float32]:
    """(M, 15) of luma's 32x32 blocks; those cut off at black or white, or of one colour, are left out.

    Logarithms of the power in nine rings of frequencies; how unequal rows and columns are in three
    pairs of them, since noise has no direction; and of a band-pass, how much its power differs from place to
    place, how heavy its tails are, and how weak its weakest places.  With `everything` no block is left out.
    """
    luma = (tiles @ LUMA if tiles.shape[3] == 3 else tiles[..., 0])[None]
    cut = np.asarray(((tiles <= 0) | (tiles >= 255)).any(3), np.float32)[None]
    own = blocks(luma, SIDE)[0]
    power = np.square(_DCT @ own @ _DCT.T).reshape(len(own), SIDE * SIDE)
    kept = (blocks(cut, SIDE)[0].mean((1, 2)) < 0.1) & (power[:, 1:].sum(1) > 1e-2) | everything
    own, power = own[kept], power[kept]
    rings = [np.log(power[:, ring].mean(1) + 0.05) for ring in _RINGS]
    directions = [
        np.abs(
            np.log(
                (power[:, band & (_DIFFERENCE > 0)].mean(1) + 0.05)
                / (power[:, band & (_DIFFERENCE < 0)].mean(1) + 0.05)
            )
        )
        for band in (_RINGS[1] | _RINGS[2], _RINGS[3] | _RINGS[4], _RINGS[5] | _RINGS[6])
    ]
    small = halved(own)
    inner = (slice(None), slice(2, 14), slice(2, 14))
    around = sum(np.roll(small, shift, axis)[inner] for shift in (-1, 1) for axis in (1, 2))
    square = np.square(4 * small[inner] - around)
    places = square.reshape(len(own), 4, 3, 4, 3).mean((2, 4)).reshape(len(own), 16)
    uneven = np.log(places + 0.3).std(1)
    tails = np.log((np.square(square).mean((1, 2)) + 0.1) / (np.square(square.mean((1, 2))) + 0.1))
    weakest = np.log(np.sort(places, axis=1)[:, 1] + 0.3)
    return np.stack([*rings, *directions, uneven, tails, weakest], axis=1).astype(np.float32)
