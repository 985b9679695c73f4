"""The pictures that a report shows: those of a row with the least and the most gain, small and compressed."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from enhance_cli.bench.protocols.contract import Clean, luma
from enhance_cli.bench.report import Row, gain
from enhance_cli.imaging.encode import EncodeOptions, encode
from enhance_cli.imaging.picture import Picture
from enhance_cli.imaging.resize import imresize

if TYPE_CHECKING:
    from enhance_cli.bench.plan import Work
    from enhance_cli.bench.run import Shown

PER_END = 3
"""Pictures of the least gain of a row, and as many of the most."""
WHOLE, QUALITY = 480, 88
"""Longest side of a whole picture, and the quality of its JPEG."""
CROP = 96
"""Side of a crop, which is shown enlarged and without loss."""
_STEP = 8
# What the markup around one picture takes, in bytes.
_AROUND = 2500

Key = tuple[str, str, str, str | None, str | None]


@dataclass(frozen=True, kw_only=True)
class Kept:
    """One picture of a row."""

    image: str
    gain: float
    """In dB, by the row's leading metric."""
    size: tuple[int, int]
    """Width and height of the whole as it is kept."""
    wholes: tuple[bytes, bytes]
    """Baseline and result, JPEG."""
    crop_size: tuple[int, int]
    crops: tuple[bytes, bytes, bytes]
    """Baseline, result and reference where they differ most, PNG."""

    @property
    def weight(self) -> int:
        """Bytes in a page, where all is base64."""
        return sum(4 * math.ceil(len(data) / 3) for data in (*self.wholes, *self.crops)) + _AROUND


@dataclass
class Shelf:
    """The pictures of one row, the most telling first."""

    worst: list[Kept] = field(default_factory=list)
    best: list[Kept] = field(default_factory=list)


Shelves = dict[Key, Shelf]


class Album:
    """Keeps a few pictures of each row, whatever the number and size of those it is shown."""

    def __init__(self) -> None:
        self._shelves: Shelves = {}

    def show(self, work: Work, shown: Shown) -> None:
        """Keep the picture if it is among the best or the worst of its row so far."""
        if shown.result is None or work.net is None:
            return
        of = (
            work.dataset.name,
            work.setting.task,
            work.setting.name,
            work.model,
            work.net.sha256,
        )
        shelf = self._shelves.setdefault(of, Shelf())
        n_worst, n_best = _places(len(work.dataset.images))
        measured = _gain(work, shown)
        _place(
            shelf.worst, n_worst, lambda one: one.gain, measured, lambda: _keep(shown, measured, best=False)
        )
        _place(
            shelf.best, n_best, lambda one: -one.gain, -measured, lambda: _keep(shown, measured, best=True)
        )

    def fitting(self, room: int) -> Shelves:
        """As many pictures as fit into `room` bytes: of each row the first of either end, then the second."""
        return _fitting(self._shelves, room)


def key(row: Row) -> Key:
    """What distinguishes a row from the others of its run."""
    return row.dataset, row.task, row.setting, row.model, row.weights


def _fitting(shelves: Shelves, room: int) -> Shelves:
    taken = {of: Shelf() for of in shelves}
    for place in range(PER_END):
        for of, shelf in shelves.items():
            into = taken[of]
            for ones, chosen in ((shelf.worst, into.worst), (shelf.best, into.best)):
                # Those before it on its shelf must have fitted, or the order would be wrong.
                if len(chosen) == place < len(ones) and ones[place].weight <= room:
                    chosen.append(ones[place])
                    room -= ones[place].weight
    return taken


def _places(images: int) -> tuple[int, int]:
    """How many of the worst and the best are kept, so that none is both."""
    return min(PER_END, images // 2), min(PER_END, images - images // 2)


def _place(
    ones: list[Kept], places: int, rank: Callable[[Kept], float], own: float, make: Callable[[], Kept]
) -> None:
    """Insert into the list, sorted by `rank`, what `make` gives, if it belongs there."""
    at = sum(rank(one) <= own for one in ones)
    if at < places:
        ones.insert(at, make())
        del ones[places:]


def _gain(work: Work, shown: Shown) -> float:
    assert shown.result is not None
    measure = work.setting.measure
    measured = gain(measure(shown.result, shown.reference), measure(shown.baseline, shown.reference))
    # Both equal to the reference: nothing was gained.
    return 0.0 if measured is None or math.isnan(measured) else measured


def _keep(shown: Shown, measured: float, *, best: bool) -> Kept:
    assert shown.result is not None
    alike = _alike(shown.baseline, shown.result, shown.reference)
    window = _window(*alike, best=best)
    wholes = [_bounded(x) for x in alike[:2]]
    crops = [x[window] for x in alike]
    options = EncodeOptions(jpeg_quality=QUALITY, png_level=9)
    before, after = (encode(Picture(pixels=x), "JPEG", options=options) for x in wholes)
    baseline, result, reference = (encode(Picture(pixels=x), "PNG", options=options) for x in crops)
    return Kept(
        image=shown.image,
        gain=measured,
        size=(wholes[0].shape[1], wholes[0].shape[0]),
        wholes=(before, after),
        crop_size=(crops[0].shape[1], crops[0].shape[0]),
        crops=(baseline, result, reference),
    )


def _alike(baseline: Clean, result: Clean, reference: Clean) -> tuple[Clean, Clean, Clean]:
    """All three in luma where the result has nothing else."""
    if result.shape[2] == reference.shape[2]:
        return baseline, result, reference
    first, second, third = (np.rint(luma(x)).astype(np.uint8) for x in (baseline, result, reference))
    return first, second, third


def _bounded(x: Clean) -> Clean:
    """Shrunk so that no side is longer than `WHOLE`."""
    height, width = x.shape[:2]
    factor = WHOLE / max(height, width)
    if factor >= 1:
        return x
    return np.asarray(imresize(x, (max(1, round(height * factor)), max(1, round(width * factor)))), np.uint8)


def _window(baseline: Clean, result: Clean, reference: Clean, *, best: bool) -> tuple[slice, slice]:
    """Where the result is better than the baseline by most, or worse by most; at most CROP x CROP."""
    gained = _block_sums(baseline, reference) - _block_sums(result, reference)
    sums = np.pad(gained.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    rows, columns = (min(CROP // _STEP, n) for n in gained.shape)
    boxes = sums[rows:, columns:] - sums[:-rows, columns:] - sums[rows:, :-columns] + sums[:-rows, :-columns]
    at = boxes.argmax() if best else boxes.argmin()
    top, left = (int(i) * _STEP for i in np.unravel_index(at, boxes.shape))
    return slice(top, top + CROP), slice(left, left + CROP)


def _block_sums(x: Clean, reference: Clean) -> NDArray[np.int64]:
    """Squared error summed over blocks of _STEP x _STEP; the last ones take what is left over."""
    tops, lefts = (_starts(length) for length in x.shape[:2])
    # A stripe at a time: the squares of a large picture need several times its memory.
    stripes = (slice(*ends) for ends in zip(tops, (*tops[1:], x.shape[0]), strict=True))
    columns = (np.square(x[rows].astype(np.int64) - reference[rows]).sum(axis=(0, 2)) for rows in stripes)
    return np.stack([np.add.reduceat(one, lefts) for one in columns])


def _starts(length: int) -> tuple[int, ...]:
    return tuple(range(0, max(1, length - _STEP + 1), _STEP))
