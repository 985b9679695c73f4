"""The pictures that a report shows: those of a row with the least and the most gain, small and compressed."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from enhance_cli.bench.report import Row
from enhance_cli.imaging.encode import EncodeOptions, encode
from enhance_cli.imaging.picture import Picture
from enhance_cli.imaging.resize import imresize
from enhance_cli.metrics.measure import EightBit, luma

if TYPE_CHECKING:
    from enhance_cli.bench.plan import PlannedRow
    from enhance_cli.bench.run import ShownPictures

PER_END = 3
"""Pictures of the least gain of a row, and as many of the most."""
WHOLE_SIDE, QUALITY = 480, 88
"""Longest side of a whole picture in pixels, and the quality of its JPEG."""
CROP_SIDE = 96
"""Pixels of the side of a crop, which is shown enlarged and without loss."""
BLOCK_SIDE = 8
"""Pixels from one place where a crop may begin to the next."""
MARKUP_BYTES = 2500
"""What the markup around one picture takes in a page."""

Key = tuple[str, str, str, str | None, str | None]


@dataclass(frozen=True, kw_only=True)
class KeptPicture:
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
    def n_bytes(self) -> int:
        """Bytes in a page, where all is base64."""
        return sum(4 * math.ceil(len(data) / 3) for data in (*self.wholes, *self.crops)) + MARKUP_BYTES


@dataclass
class Ends:
    """The pictures of one row, the most telling first."""

    worst: list[KeptPicture] = field(default_factory=list)
    best: list[KeptPicture] = field(default_factory=list)


Gallery = dict[Key, Ends]


def key(row: Row) -> Key:
    """What distinguishes a row from the others of its run."""
    return row.dataset, row.task, row.setting, row.model, row.weights


def collect(gallery: Gallery, planned: PlannedRow, shown: ShownPictures) -> None:
    """Keep the picture if it is among the best or the worst of its row so far."""
    if shown.result is None or planned.net is None:
        return
    setting, images = planned.setting, len(planned.dataset.images)
    of = planned.dataset.name, setting.task, setting.name, planned.model, planned.net.sha256
    ends = gallery.setdefault(of, Ends())
    # Both equal to the reference: nothing was gained.
    gain = 0.0 if shown.gain is None or math.isnan(shown.gain) else shown.gain
    # As many of either end that no picture is in both.
    for pictures, sign, half in ((ends.worst, 1, images // 2), (ends.best, -1, images - images // 2)):
        at = sum(sign * one.gain <= sign * gain for one in pictures)
        if at < min(PER_END, half):
            pictures.insert(at, _kept(shown, gain, best=sign < 0))
            del pictures[min(PER_END, half) :]


def fitting(gallery: Gallery, n_bytes: int) -> Gallery:
    """As many pictures as take `n_bytes`: of each row the first of either end, then the second."""
    taken = {of: Ends() for of in gallery}
    for place in range(PER_END):
        for of, ends in gallery.items():
            for pictures, chosen in ((ends.worst, taken[of].worst), (ends.best, taken[of].best)):
                # Those before it must have fitted, or the order would be wrong.
                if len(chosen) == place < len(pictures) and pictures[place].n_bytes <= n_bytes:
                    chosen.append(pictures[place])
                    n_bytes -= pictures[place].n_bytes
    return taken


def _kept(shown: ShownPictures, gain: float, *, best: bool) -> KeptPicture:
    assert shown.result is not None
    pictures = shown.baseline, shown.result, shown.reference
    if shown.result.shape[2] != shown.reference.shape[2]:
        # All in luma, where the result has nothing else.
        pictures = tuple(np.rint(luma(x)).astype(np.uint8) for x in pictures)
    window = _window(*pictures, best=best)
    wholes = list(pictures[:2])
    height, width = wholes[0].shape[:2]
    factor = WHOLE_SIDE / max(height, width)
    if factor < 1:
        size = max(1, round(height * factor)), max(1, round(width * factor))
        wholes = [np.asarray(imresize(x, size), np.uint8) for x in wholes]
    crops = [x[window] for x in pictures]
    options = EncodeOptions(jpeg_quality=QUALITY, png_level=9)
    before, after = (encode(Picture(pixels=x), "JPEG", options=options) for x in wholes)
    baseline, result, reference = (encode(Picture(pixels=x), "PNG", options=options) for x in crops)
    return KeptPicture(
        image=shown.image,
        gain=gain,
        size=(wholes[0].shape[1], wholes[0].shape[0]),
        wholes=(before, after),
        crop_size=(crops[0].shape[1], crops[0].shape[0]),
        crops=(baseline, result, reference),
    )


def _window(baseline: EightBit, result: EightBit, reference: EightBit, *, best: bool) -> tuple[slice, slice]:
    """Where the result is better than the baseline by most, or worse by most; at most a crop's size."""
    gained = _block_sums(baseline, reference) - _block_sums(result, reference)
    sums = np.pad(gained.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    rows, columns = (min(CROP_SIDE // BLOCK_SIDE, n) for n in gained.shape)
    boxes = sums[rows:, columns:] - sums[:-rows, columns:] - sums[rows:, :-columns] + sums[:-rows, :-columns]
    at = boxes.argmax() if best else boxes.argmin()
    top, left = (int(i) * BLOCK_SIDE for i in np.unravel_index(at, boxes.shape))
    return slice(top, top + CROP_SIDE), slice(left, left + CROP_SIDE)


def _block_sums(x: EightBit, reference: EightBit) -> NDArray[np.int64]:
    """Squared error summed over square blocks; the last ones take what is left over."""
    tops, lefts = (tuple(range(0, max(1, side - BLOCK_SIDE + 1), BLOCK_SIDE)) for side in x.shape[:2])
    # A stripe at a time: the squares of a large picture need several times its memory.
    stripes = (slice(*ends) for ends in zip(tops, (*tops[1:], x.shape[0]), strict=True))
    columns = (np.square(x[rows].astype(np.int64) - reference[rows]).sum(axis=(0, 2)) for rows in stripes)
    return np.stack([np.add.reduceat(one, lefts) for one in columns])
