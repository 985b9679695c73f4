"""Whether a network's result may be written at all.

Reduced precision, broken drivers and damaged weights give NaN, black, tinted or spoilt pictures with status
"success".  A result is compared with its input tile by tile; how far honest results go is data of the task,
measured by `benchmarks/guard.py`, which also breaks results on purpose.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from enhance_cli.runtimes.contract import Batch
from enhance_cli.tasks import TaskSpec

BLACK_LEVEL = 1 / 255
"""A result that stays below this everywhere is black."""
LIT_BLOCK_MEAN = 0.15
"""Mean of an 8x8 block from which the input counts as not black; clipped noise on black stays below."""
LIT_MEDIAN, MEDIAN_PIXELS = 0.03, 4096
"""Median of a channel from which the input counts as not black, and pixels needed to know it: of noise on
black half is black, however strong it is."""
LEAST_PIXELS = 256
"""Pixels needed before means say anything under noise."""
CELL = 4
"""Side in pixels of the result of the blocks whose means are compared: a spot of 7x7 holds one wholly."""
AREA = 32
"""Pixels of the input over which drift is averaged."""
LEAST_CONTRAST, FLAT = 0.4, 0.02
"""Share of the input's contrast over areas that must remain, and contrast that counts as none."""
LEAST_ROUGHNESS = 0.05
"""Of fine structure, below which a ratio would say nothing."""
PERIODS = 8, 4, 2
"""Pixels after which what a network that halves its input three times invents may repeat."""
LEAST_REPEATS = 1024
"""Of a pattern, to tell it from chance."""
PATTERN_SIDE = 512
"""Pixels of the result in which a pattern is looked for; more would take longer and tell nothing new."""
LEAST_CHANGE = 2 / 255
"""Standard deviation below which no one sees what a change consists of, or a plane is flat: strong flat
colours are not what networks know best, and get patterns of two or three levels."""
PATTERN, PATTERN_SHARE = 0.75 / 255, 0.09
"""Strength of a lopsided pattern in the change, and its share of the change, where both are more than honest
results have."""
OWN_SHARE = 0.2
"""Share of the input's fine structure that repeats, from which a pattern may be its own: lines, dithers,
and smooth ramps in blocks of JPEG."""
REMOVED = -0.8
"""Correlation of the pattern of a change with the input's, from which it takes that away."""
LONGEST_PERIOD = 8
"""Pixels after which such inputs repeat."""


@dataclass(frozen=True)
class Comparison:
    """How far a result is from its input, at the worst place of the worst channel."""

    drift: float
    """Change of the mean over an area; the full range is 1."""
    spot: float
    """How far a block's mean leaves the range that the input has around it."""
    contrast: float
    """Contrast of area means over the input's."""
    roughness: float
    """Strength of what is finer than 4x4 pixels of the input over the input's."""
    pattern: float
    """Standard deviation of what repeats in the change; the full range is 1."""
    pattern_share: float
    """The same over the standard deviation of the change."""

    @classmethod
    def of(cls, x: Batch, y: Batch, reach: int) -> Comparison:
        """x: (N, C, H, W), y: (N, C, s H, s W) for a whole s, both nominally in [0, 1].

        `reach`: pixels of the input that count as around a block.
        """
        planes = zip(x.reshape(-1, *x.shape[2:]), y.reshape(-1, *y.shape[2:]), strict=True)
        found = [_of_plane(before, after, reach) for before, after in planes]
        drifts, spots, contrasts, roughnesses, patterns = zip(*found, strict=True)
        return cls(max(drifts), max(spots), min(contrasts), max(roughnesses), *max(patterns))


def fault_of(x: Batch, y: Batch, task: TaskSpec) -> str | None:
    """What is wrong with result y of input x, or None.

    x: (N, C, H, W), y: (N, C, s H, s W), both with nominal range [0, 1] and of the same part of the picture.
    """
    # One cheap pass tells most: no mean is finite over NaN or Inf, and none of a black channel is lighter.
    with np.errstate(invalid="ignore", over="ignore"):
        means = y.mean((2, 3))
    if not np.isfinite(means).all():
        return NOT_FINITE
    if means.max() < BLACK_LEVEL and y.max() < BLACK_LEVEL and _is_lit(x):
        return "is black although the input is not"
    if x.shape[2] * x.shape[3] < LEAST_PIXELS:
        return None
    found, most = Comparison.of(x, y, task.changes.reach), task.changes
    if found.drift > most.drift:
        return f"is shifted in colour or brightness by {found.drift:.2f} of the full range"
    if found.spot > most.spot:
        return f"has spots that leave the input's range by {found.spot:.2f} of the full range"
    if found.contrast < LEAST_CONTRAST:
        return f"has only {found.contrast:.0%} of the input's contrast"
    if found.roughness > most.roughness:
        return f"has {found.roughness:.1f} times as much fine structure as the input"
    if not task.mosaic and found.pattern > PATTERN and found.pattern_share > PATTERN_SHARE:
        return f"has a pattern that repeats, {found.pattern_share:.0%} of the change"
    return None


NOT_FINITE = "holds NaN or Inf"
"""The fault that no one can want to be written."""


def filled_mosaic(mosaic: Batch) -> Batch:
    """(N, 3, H, W) mosaic with zeros, H and W even -> every 2x2 samples replaced by their colour's mean."""
    n, channels, height, width = mosaic.shape
    quads = mosaic.reshape(n, channels, height // 2, 2, width // 2, 2).sum((3, 5))
    quads /= np.array([1, 2, 1], np.float32).reshape(1, 3, 1, 1)
    return quads.repeat(2, axis=2).repeat(2, axis=3)


def _of_plane(
    x: NDArray[np.float32], y: NDArray[np.float32], reach: int
) -> tuple[float, float, float, float, tuple[float, float]]:
    """Drift, spot, contrast, roughness, and pattern of one channel."""
    scale = y.shape[0] // x.shape[0]
    cell = min(max(1, CELL // scale), *x.shape)
    before, after = _means(x, cell), _means(y, cell * scale)
    # Of the input's pixels, whatever the scale: a block of one has no structure.
    coarse = min(CELL // cell, *before.shape)
    finer = _finer(y, _means(after, coarse)), _finer(x, _means(before, coarse))
    roughness = (finer[0] + LEAST_ROUGHNESS) / (finer[1] + LEAST_ROUGHNESS)
    # What is beyond black and white is cut off before it is written.
    before, after = before.clip(0, 1), after.clip(0, 1)
    area = max(1, AREA // cell)
    low_before, low_after = _smooth(before, area), _smooth(after, area)
    drift = float(np.abs(low_after - low_before).max())
    around = np.ones((2 * -(-reach // cell) + 1,) * 2, np.uint8)
    spot = float(np.maximum(after - cv2.dilate(before, around), cv2.erode(before, around) - after).max())
    contrast = (float(low_after.std()) + FLAT) / (float(low_before.std()) + FLAT)
    return drift, spot, contrast, roughness, _pattern(x, y)


def _pattern(x: NDArray[np.float32], y: NDArray[np.float32]) -> tuple[float, float]:
    """Strength of what repeats in the change every few pixels, and its share of the change.

    Networks compute neighbouring pixels by other weights wherever they shuffle or halve; if these are wrong,
    the change repeats from cell to cell.  What pictures themselves give is the same seen in a mirror, since
    edges rise as often as they fall, and is left out; so is all change of an input that repeats itself, and a
    pattern that was taken away.
    """
    scale = y.shape[0] // x.shape[0]
    # What is everywhere is in the middle.
    sides = [min(n, PATTERN_SIDE // scale) for n in x.shape]
    top, left = ((n - side) // 2 for n, side in zip(x.shape, sides, strict=True))
    x = x[top : top + sides[0], left : left + sides[1]]
    y = y[scale * top : scale * (top + sides[0]), scale * left : scale * (left + sides[1])]
    before = x if scale == 1 else cv2.resize(x, y.shape[::-1], interpolation=cv2.INTER_CUBIC)
    change = np.asarray(cv2.subtract(y.clip(0, 1), before), np.float32)
    deviation, own = (float(cv2.meanStdDev(plane)[1][0, 0]) for plane in (change, x))
    for period in PERIODS if scale == 1 else (scale,):
        n_repeats = (y.shape[0] // period) * (y.shape[1] // period)
        if n_repeats < LEAST_REPEATS or min(deviation, own) < LEAST_CHANGE:
            continue
        strength = _lopsided(_cell(change, period))
        # Chance alone gives means some variance.
        share = max(0.0, strength / deviation - n_repeats**-0.5)
        if strength > PATTERN and share > PATTERN_SHARE:
            # One long edge also makes means lopsided, but not medians.
            everywhere = _lopsided(_usual_cell(change, period)) > PATTERN / 2
            if not everywhere or _repeats(x) or (scale == 1 and _takes_away(change, x, period)):
                break
        return strength, share
    return 0.0, 0.0


def _cell(x: NDArray[np.float32], period: int) -> NDArray[np.float32]:
    """(period, period) means of the pixels at each place of all cells of that side."""
    rows, columns = x.shape[0] // period, x.shape[1] // period
    whole = x[: rows * period, : columns * period]
    # Rows first, which is the fast way round.
    means = whole.reshape(rows, period * columns * period).mean(0).reshape(period, columns, period)
    return np.asarray(means.mean(1), np.float32)


def _usual_cell(x: NDArray[np.float32], period: int) -> NDArray[np.float32]:
    """The same, but medians."""
    rows, columns = x.shape[0] // period, x.shape[1] // period
    cells = x[: rows * period, : columns * period].reshape(rows, period, columns, period)
    return np.asarray(np.median(cells, (0, 2)), np.float32)


def _lopsided(cell: NDArray[np.float32]) -> float:
    """Standard deviation of what a cell does not share with itself in a mirror."""
    return float(np.std(cell - (cell + cell[::-1] + cell[:, ::-1] + cell[::-1, ::-1]) / 4))


def _takes_away(change: NDArray[np.float32], x: NDArray[np.float32], period: int) -> bool:
    """Whether the pattern of the change is one that the input had."""
    fine = x - cv2.blur(x, (period, period), borderType=cv2.BORDER_REFLECT)
    ours, its = (cell - cell.mean() for cell in (_cell(change, period), _cell(fine, period)))
    return float((ours * its).sum()) < REMOVED * float(np.linalg.norm(ours) * np.linalg.norm(its) + 1e-9)


def _repeats(x: NDArray[np.float32]) -> bool:
    """Whether what is fine in a plane is to a good part one pattern, again and again."""
    fine = x - cv2.blur(x, (LONGEST_PERIOD, LONGEST_PERIOD), borderType=cv2.BORDER_REFLECT)
    deviation = float(fine.std()) + 1e-3
    for period in range(2, min(LONGEST_PERIOD, *(side // 4 for side in x.shape)) + 1):
        # Neighbouring pixels are alike, so that chance does more than among independent ones.
        chance = 4 * deviation**2 * period**2 / x.size
        if float(_cell(fine, period).var()) > (OWN_SHARE * deviation) ** 2 + chance:
            return True
    return False


def _means(x: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """Means of blocks of that side; what is left over at the right and the bottom is left out."""
    rows, columns = x.shape[0] // side, x.shape[1] // side
    whole = x[: rows * side, : columns * side]
    return np.asarray(cv2.resize(whole, (columns, rows), interpolation=cv2.INTER_AREA), np.float32)


def _smooth(x: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """Means over squares of that side, twice, so that no edge of a square shows."""
    size = min(side, x.shape[1]), min(side, x.shape[0])
    once = cv2.blur(x, size, borderType=cv2.BORDER_REFLECT)
    return np.asarray(cv2.blur(once, size, borderType=cv2.BORDER_REFLECT), np.float32)


def _finer(x: NDArray[np.float32], means: NDArray[np.float32]) -> float:
    """Standard deviation of a plane about the means of its blocks: variances add up."""
    whole, coarse = (float(cv2.meanStdDev(plane)[1][0, 0]) for plane in (x, means))
    return max(0.0, whole**2 - coarse**2) ** 0.5


def _is_lit(x: Batch) -> bool:
    n, channels, height, width = x.shape
    side_y, side_x = min(8, height), min(8, width)
    whole = x[..., : height // side_y * side_y, : width // side_x * side_x]
    blocks = whole.reshape(n, channels, height // side_y, side_y, width // side_x, side_x)
    if blocks.mean((3, 5)).max() > LIT_BLOCK_MEAN:
        return True
    return height * width >= MEDIAN_PIXELS and bool(np.median(x, (2, 3)).max() > LIT_MEDIAN)
