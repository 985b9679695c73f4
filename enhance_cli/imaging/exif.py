"""EXIF blocks (CIPA DC-008): read tag by tag, made upright, adapted to another size, and written again.

Texts, maker notes and tags that are not known here keep their bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction

from enhance_cli.imaging.ifd import (
    Directory,
    Entry,
    Layout,
    Order,
    fractions,
    head_of,
    layout_of,
    longs,
    numbers,
    packed,
    parsed,
    rational,
    shorts,
)

PREFIX = b"Exif\0\0"
GPS, ORIENTATION = 0x8825, 0x0112
"""Tags of the first directory: where the position lies, and how the picture is turned."""
_EXIF, _INTEROP = 0x8769, 0xA005
_PIXEL_WIDTH, _PIXEL_HEIGHT = 0xA002, 0xA003
_FOCAL_PLANE_X, _FOCAL_PLANE_Y = 0xA20E, 0xA20F
_SUBJECT_AREA, _SUBJECT_LOCATION = 0x9214, 0xA214
_RELATED_WIDTH, _RELATED_HEIGHT = 0x1001, 0x1002
_MAKER_NOTE = 0x927C

# Tags of IFD0 that describe how a TIFF file stores its pixels (TIFF 6.0), or hold what is carried elsewhere:
# XMP, IPTC, Photoshop's resources, ICC.
STRUCTURAL = frozenset(
    {254, 255, 256, 257, 258, 259, 262, 263, 264, 265, 266, 273, 277, 278, 279, 280, 281, 284, 288, 289, 290}
    | {291, 292, 293, 301, 317, 318, 319, 320, 321, 322, 323, 324, 325, 330, 332, 333, 334, 336, 338, 339}
    | {340, 341, 342, 347, 512, 513, 514, 515, 517, 518, 519, 520, 521, 529, 530, 531, 532}
    | {700, 33723, 34377, 34675}
)


@dataclass(frozen=True)
class Exif:
    """The tags of one EXIF block."""

    order: Order
    """Byte order of all values."""
    main: Directory
    """IFD0 without what describes pixels."""
    nested: dict[int, Directory]
    """The Exif, GPS and interoperability directories by the tags that point at them."""
    maker_note: int = 0
    """Where the maker note lay, since it may hold offsets of its own; 0 if there is none."""
    broken: int = 0
    """Tags that could not be read."""

    @property
    def orientation(self) -> int:
        """1..8; 1 where there is none or it makes no sense."""
        value = numbers(self.main.get(ORIENTATION), self.order)
        return value[0] if value and 1 <= value[0] <= 8 else 1

    def without(self, *tags: int) -> Exif:
        """The same block without some tags of its first directory, and what they point at."""
        main = {tag: entry for tag, entry in self.main.items() if tag not in tags}
        nested = {tag: directory for tag, directory in self.nested.items() if tag not in tags}
        return replace(self, main=main, nested=nested)


def parse(block: bytes) -> Exif:
    """An EXIF block, with its name before it or not. Raises ValueError for what is none."""
    data = block.removeprefix(PREFIX)
    layout, first = layout_of(data)
    return of_directory(data, layout, first)


def of_directory(data: bytes, layout: Layout, offset: int) -> Exif:
    """The descriptive tags of the directory at `offset` of a TIFF structure; see `parse`."""
    main, broken = parsed(data, layout, offset)
    order = layout.order
    nested: dict[int, Directory] = {}
    for tag in (_EXIF, GPS, _INTEROP):
        holder = nested.get(_EXIF, {}) if tag == _INTEROP else main
        where = numbers(holder.get(tag), order)
        try:
            nested[tag], more = parsed(data, layout, where[0]) if where else ({}, 0)
            broken += more
        except ValueError:
            broken += 1
        if not nested.get(tag):
            nested.pop(tag, None)
            holder.pop(tag, None)
    note = nested.get(_EXIF, {}).get(_MAKER_NOTE)
    at = data.find(note.raw) if note and len(note.raw) > 4 else 0
    kept = {tag: entry for tag, entry in main.items() if tag not in STRUCTURAL}
    return Exif(order, kept, nested, max(0, at), broken)


def block(exif: Exif) -> bytes | None:
    """The block as bytes, beginning with its name; None if it has no tags."""
    if not exif.main:
        return None
    fixed = (_MAKER_NOTE, exif.maker_note) if exif.maker_note else None
    return PREFIX + head_of(exif.order) + packed(exif.order, exif.main, exif.nested, fixed=fixed)[0]


def reset(exif: Exif) -> Exif:
    """The block of a picture that has been turned already: its orientation is 1, all else stays."""
    if ORIENTATION not in exif.main:
        return exif
    return replace(exif, main=exif.main | {ORIENTATION: shorts(exif.order, 1)})


def upright(exif: Exif, width: int, height: int) -> Exif:
    """The block of a stored picture of `width` x `height` once its orientation has been applied."""
    turn = exif.orientation
    across = turn >= 5

    def placed(values: tuple[int, ...]) -> tuple[int, ...]:
        x, y, *extent = values
        x, y = {
            1: (x, y),
            2: (width - 1 - x, y),
            3: (width - 1 - x, height - 1 - y),
            4: (x, height - 1 - y),
            5: (y, x),
            6: (height - 1 - y, x),
            7: (height - 1 - y, width - 1 - x),
            8: (y, width - 1 - x),
        }[turn]
        return (max(0, x), max(0, y), *(extent[::-1] if across else extent))

    details = _with_places(exif.nested.get(_EXIF, {}), exif.order, placed)
    if across:
        swapped = {_FOCAL_PLANE_X: _FOCAL_PLANE_Y, _FOCAL_PLANE_Y: _FOCAL_PLANE_X}
        details = {swapped.get(tag, tag): entry for tag, entry in details.items()}
    return replace(reset(exif), nested=exif.nested | ({_EXIF: details} if details else {}))


def resized(exif: Exif, width: int, height: int, before: tuple[int, int] | None) -> Exif:
    """The block for a picture of `width` x `height`: whatever counts pixels is set or scaled.

    `before`: (width, height) that the block's numbers count in; without it, sizes are set and places stay.
    """
    order = exif.order
    details = dict(exif.nested.get(_EXIF, {}))
    if _PIXEL_WIDTH in details or _PIXEL_HEIGHT in details:
        details[_PIXEL_WIDTH], details[_PIXEL_HEIGHT] = longs(order, width), longs(order, height)
    nested = dict(exif.nested)
    if before is not None and before != (width, height):
        x, y = Fraction(width, before[0]), Fraction(height, before[1])

        def placed(values: tuple[int, ...]) -> tuple[int, ...]:
            # A third number alone is a circle's diameter.
            factors = (x, y, max(x, y)) if len(values) == 3 else (x, y, x, y)
            return tuple(round(value * factor) for value, factor in zip(values, factors, strict=False))

        details = _with_places(details, order, placed)
        for tag, factor in ((_FOCAL_PLANE_X, x), (_FOCAL_PLANE_Y, y)):
            if value := fractions(details.get(tag), order):
                details[tag] = rational(order, value[0] * factor)
        related = dict(nested.get(_INTEROP, {}))
        for tag, factor in ((_RELATED_WIDTH, x), (_RELATED_HEIGHT, y)):
            if count := numbers(related.get(tag), order):
                related[tag] = longs(order, round(count[0] * factor))
        if related:
            nested[_INTEROP] = related
    if details:
        nested[_EXIF] = details
    return replace(exif, nested=nested)


def _with_places(
    details: Directory, order: Order, placed: Callable[[tuple[int, ...]], tuple[int, ...]]
) -> Directory:
    """The Exif directory with its subject's place and size changed."""
    changed: dict[int, Entry] = {}
    for tag in (_SUBJECT_AREA, _SUBJECT_LOCATION):
        values = numbers(details.get(tag), order)
        if 2 <= len(values) <= 4:
            # Both are 16-bit by definition.
            changed[tag] = shorts(order, *(min(65_535, max(0, value)) for value in placed(values)))
    return details | changed
