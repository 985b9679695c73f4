"""Whether a picture is blurred, by camera shake or lack of focus, and how far."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from enhance_cli.imaging.picture import Pixels
from enhance_cli.imaging.survey import LUMA, surveyed

_TILE, _LEAST_TILE = 64, 32
_LAGS = (1, 2, 4, 8, 16)
_DIRECTIONS = ((0, 1), (1, 0), (1, 1), (1, -1))
# Share of the tiles, those of most contrast, that are looked at; and a contrast that they must have.
_STRONGEST, _LEAST_CONTRAST = 0.3, 20.0
# An edge that takes up so much of a tile's contrast within one pixel is not blurred. Of clean training
# pictures nine in ten reach it; blurred by Levin's kernels or a Gaussian of 1.5 pixels none exceeds 0.27.
_SHARP = 0.45
# Weights in the order of `blur_features`; fitted by `benchmarks/fit_estimates.py`.
# fmt: off
_BLURRED = (
    20.692, 6.419, 1.459, -5.398, 1.782, 5.663, -1.029, 0.154,
    -2.190, 0.053, 2.675, 0.428, -4.335, -3.469, -0.173, -0.220,
    -23.303,
)
_WIDTH = (
    -1.002, 0.334, 0.667, 0.369, -0.979, 0.929, 1.115, -0.375,
    -0.210, -0.082, 0.140, -0.066, -0.237, -0.290, -0.212, -0.124,
    1.087,
)
# fmt: on


@dataclass(frozen=True)
class BlurEstimate:
    """Blur of a whole picture, as far as it shows."""

    blurred: bool
    width: float
    """Standard deviation in pixels, roughly, of light along the direction of most blur; 0 if sharp.

    A Gaussian has its sigma, a disc half its radius, a straight movement its length divided by 3.5."""
    score: float | None
    """Log-odds of blur, above 0 where `blurred`; None where the picture has no contrast or a hard edge."""


def estimate_blur(pixels: Pixels) -> BlurEstimate:
    """The blur in (H, W, C) pixels, C = 1 or 3, from at most a megapixel of them.

    Squared differences between pixels grow in proportion to their distance where edges are sharp, and to its
    square within the reach of a blur.  Only the parts with the most contrast are examined, so that a
    background out of focus behind a sharp subject is no blur.  Noise hides blur: the noisier a blurred
    picture is, the more likely it passes as sharp.
    """
    features = blur_features(pixels)
    if features is None or _steepness(pixels) > _SHARP:
        return BlurEstimate(False, 0.0, None)
    score = float(features @ _BLURRED)
    return BlurEstimate(score > 0, math.exp(float(features @ _WIDTH)) if score > 0 else 0.0, score)


def blur_features(pixels: Pixels) -> NDArray[np.float64] | None:
    """(17,) slopes of the squared difference over the distance, both logarithmic, and a 1; None: no contrast.

    First the steepest of four directions, from 1 to 2, 4, 8 and 16 pixels, at the tenth percentile of the
    tiles, then at the median; after them the least steep directions in the same order.
    """
    tiles = surveyed(pixels, _TILE, _LEAST_TILE)
    luma = tiles @ LUMA if tiles.shape[3] == 3 else tiles[..., 0]
    height, width = luma.shape[1:]

    def difference(lag: int, down: int, right: int) -> NDArray[np.floating]:
        """Mean squared difference (N,) of pixels `lag` steps apart in one direction."""
        down, right = down * lag, right * lag
        first = luma[:, down:, max(right, 0) : width + min(right, 0)]
        second = luma[:, : height - down, max(-right, 0) : width - max(right, 0)]
        return np.asarray(np.square(first - second).mean((1, 2)))

    squares = np.array([[difference(lag, *direction) for lag in _LAGS] for direction in _DIRECTIONS])
    contrast = squares[:, 2].mean(0)
    if contrast.size == 0 or contrast.max() < _LEAST_CONTRAST:
        return None
    strongest = contrast >= max(np.quantile(contrast, 1 - _STRONGEST), _LEAST_CONTRAST)
    powers = np.log(squares[:, :, strongest] + 1)
    slopes = np.diff(powers, axis=1)
    extremes = np.stack([slopes.max(0), slopes.min(0)])
    return np.append(np.quantile(extremes, (0.1, 0.5), axis=2).swapaxes(0, 1).ravel(), 1.0)


def _steepness(pixels: Pixels) -> float:
    """The largest step between neighbours over the whole contrast: median of the tiles with the most of it.

    Of the two axes, the one with the smaller step counts: a straight movement leaves the edges along its path
    hard.
    """
    tiles = surveyed(pixels, _TILE, _LEAST_TILE)
    luma = tiles @ LUMA if tiles.shape[3] == 3 else tiles[..., 0]
    contrast = np.ptp(luma, axis=(1, 2))
    steps = np.minimum(*(np.abs(np.diff(luma, axis=axis)).max((1, 2)) for axis in (1, 2)))
    strongest = contrast >= np.quantile(contrast, 1 - _STRONGEST)
    return float(np.median(steps[strongest] / np.maximum(contrast[strongest], 1)))
