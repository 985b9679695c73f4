"""Whether a result is likely worse than its input, judged by the two alone.

Deblurring that mistakes the blur leaves echoes: the change it makes repeats with the opposite sign 8 to 16
pixels further, gradients spread where a sharper picture gathers them at edges, and what is added is not the
picture's own detail.  Weights of the three were fitted by `benchmarks/harm.py` to the gain in PSNR.
"""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np
from numpy.typing import NDArray

from enhance_cli.engine.tiles import Box
from enhance_cli.imaging.colour import to_float
from enhance_cli.imaging.picture import Pixels
from enhance_cli.imaging.survey import LUMA

PROBE, MOST_PROBES = 256, 4
"""Side in pixels of the parts that are judged of a large picture, and how many of them."""
LEAST_SIDE = 48
"""Of a picture that can be judged: echoes need room."""
LEAST_CHANGE = 0.25
"""Levels, rms; less is no harm."""
ECHO = 8.0, 16.0
"""Distances in pixels at which the change is compared with itself."""
DETAIL_SIGMA = 4.0
# Weights in the order of `harm_features`; fitted by `benchmarks/harm.py`.  The product is the gain in dB.
_GAIN = (1.249, -0.751, 0.552, -0.002)


def is_harmful(pairs: Iterable[tuple[Pixels, Pixels]]) -> bool:
    """Whether results are likely worse than their inputs; pairs of (H, W, C) of one type each.

    Halving the change where the foretold loss is small was tried: it kept more losses than it kept gains.
    """
    judged = [features for x, y in pairs if (features := harm_features(x, y)) is not None]
    return bool(judged) and float(np.mean(judged, axis=0) @ _GAIN) < 0


def probes(pixels: Pixels) -> list[Box]:
    """The parts of most contrast of (H, W, C) pixels, which tell how the whole comes out.

    All of one size: how strong echoes are in the mean depends on the area.
    """
    height, width = pixels.shape[:2]
    boxes = [
        Box(top, left, top + PROBE, left + PROBE).clipped(height, width)
        for top in range(0, max(1, height - PROBE + 1), PROBE)
        for left in range(0, max(1, width - PROBE + 1), PROBE)
    ]
    # Every fourth pixel tells contrast well enough.
    return sorted(boxes, key=lambda box: -float(pixels[box.rows, box.columns][::4, ::4].std()))[:MOST_PROBES]


def harm_features(x: Pixels, y: Pixels) -> NDArray[np.float64] | None:
    """(4,) echo, spread of gradients, likeness to the picture's detail, and a 1; None: nothing to judge.

    The echo is the least autocorrelation of the change at distances `ECHO`; the spread is how much more
    evenly distributed gradients are than before, logarithmic; the likeness is the correlation of the change
    with what is finer than `DETAIL_SIGMA` in the input.
    """
    before, after = _levels(x), _levels(y)
    change = after - before
    if min(change.shape) < LEAST_SIDE or np.sqrt(np.square(change).mean()) < LEAST_CHANGE:
        return None
    window = np.outer(np.hanning(change.shape[0]), np.hanning(change.shape[1]))
    correlation = np.fft.irfft2(np.abs(np.fft.rfft2(change * window)) ** 2, s=change.shape)
    rows, columns = (np.minimum(np.arange(n), n - np.arange(n)) for n in change.shape)
    distance = np.hypot(rows[:, None], columns)
    echo = correlation[(distance > ECHO[0]) & (distance <= ECHO[1])].min() / correlation[0, 0]
    detail = before - cv2.GaussianBlur(before, (0, 0), DETAIL_SIGMA)
    likeness = (detail * change).mean() / np.sqrt(np.square(detail).mean() * np.square(change).mean() + 1e-6)
    return np.array([echo, np.log(_evenness(after) / _evenness(before)), likeness, 1.0])


def _levels(pixels: Pixels) -> NDArray[np.float32]:
    """Luma (H, W) on the 0..255 scale."""
    levels = 255 * to_float(pixels)
    return np.asarray(levels @ LUMA if levels.shape[2] == 3 else levels[..., 0], np.float32)


def _evenness(x: NDArray[np.float32]) -> float:
    """Squared mean of the gradients over their mean square: 1 if all are equal, small for a few edges."""
    steps = np.concatenate([np.abs(np.diff(x, axis=axis)).ravel() for axis in (0, 1)])
    return float(steps.mean() ** 2 / (np.square(steps).mean() + 1e-6)) + 1e-4
