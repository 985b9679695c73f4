"""Directories of tags, as TIFF files and EXIF blocks hold them (TIFF 6.0, BigTIFF).

Values stay the bytes that the file had: nothing is decoded that is only carried on, so that text in any
encoding and tags that nobody knows come out as they went in.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate
from typing import Literal

BYTE, ASCII, SHORT, LONG, RATIONAL, UNDEFINED, SRATIONAL = 1, 2, 3, 4, 5, 7, 10

_BY_SIZE = {1: (1, 2, 6, 7), 2: (3, 8), 4: (4, 9, 11, 13), 8: (5, 10, 12, 16, 17, 18)}
_SIZES = {kind: size for size, kinds in _BY_SIZE.items() for kind in kinds}
_LETTERS = {1: "B", 3: "H", 4: "L", 6: "b", 8: "h", 9: "l", 13: "L", 16: "Q", 17: "q", 18: "Q"}
_MAGIC: dict[bytes, tuple[Order, bool]] = {
    b"II*\0": ("<", False),
    b"MM\0*": (">", False),
    b"II+\0": ("<", True),
    b"MM\0+": (">", True),
}


@dataclass(frozen=True)
class Entry:
    """One tag's value: `count` items of the type `kind`, in the byte order of its file."""

    kind: int
    count: int
    raw: bytes


Directory = dict[int, Entry]
Order = Literal["<", ">"]
"""Byte order, little or big."""


@dataclass(frozen=True)
class Layout:
    """How a TIFF structure is written."""

    order: Order
    big: bool = False
    """BigTIFF: 64-bit counts and offsets."""


def layout_of(data: bytes) -> tuple[Layout, int]:
    """Layout and offset of the first directory. Raises ValueError for what is no TIFF structure."""
    if data[:4] not in _MAGIC:
        raise ValueError("no TIFF structure")
    order, big = _MAGIC[data[:4]]
    try:
        offset = struct.unpack_from(f"{order}Q", data, 8) if big else struct.unpack_from(f"{order}L", data, 4)
    except struct.error as error:
        raise ValueError("the TIFF structure is cut off") from error
    return Layout(order, big), offset[0]


def directories(data: bytes, layout: Layout, first: int) -> Iterator[int]:
    """Offsets of the directories that follow each other from `first` on; ends where the chain breaks."""
    seen = set()
    offset = first
    while offset and offset not in seen and offset < len(data):
        seen.add(offset)
        yield offset
        try:
            start, count, size = table_of(data, layout, offset)
            letter = "Q" if layout.big else "L"
            offset = struct.unpack_from(layout.order + letter, data, start + count * size)[0]
        except struct.error:
            return


def table_of(data: bytes, layout: Layout, offset: int) -> tuple[int, int, int]:
    """Start of the entries of the directory at `offset`, their number, and bytes of each."""
    if layout.big:
        return offset + 8, struct.unpack_from(f"{layout.order}Q", data, offset)[0], 20
    return offset + 2, struct.unpack_from(f"{layout.order}H", data, offset)[0], 12


def parsed(
    data: bytes, layout: Layout, offset: int, only: frozenset[int] | None = None
) -> tuple[Directory, int]:
    """The directory at `offset`, and how many of its tags are broken and left out.

    `only`: the tags to look at, all by default. All values together are at most as long as `data`, since tags
    of a sound file do not share their bytes. Raises ValueError if there is no directory.
    """
    try:
        start, count, size = table_of(data, layout, offset)
    except struct.error as error:
        raise ValueError("a directory of tags is cut off") from error
    found: Directory = {}
    broken, room = 0, len(data)
    inline = 8 if layout.big else 4
    head, pointer = (layout.order + "HHQ", "Q") if layout.big else (layout.order + "HHL", "L")
    for at in range(start, min(start + count * size, len(data)), size):
        try:
            tag, kind, n_items = struct.unpack_from(head, data, at)
            if only is not None and tag not in only:
                continue
            length = _SIZES[kind] * n_items
            value_at = at + size - inline
            if length > inline:
                value_at = struct.unpack_from(layout.order + pointer, data, value_at)[0]
            if length > room or value_at + length > len(data):
                raise ValueError
        except (struct.error, KeyError, ValueError):
            broken += 1
            continue
        room -= length
        found[tag] = Entry(kind, n_items, bytes(data[value_at : value_at + length]))
    return found, broken


def numbers(entry: Entry | None, order: Order) -> tuple[int, ...]:
    """The whole numbers of an entry; none if it is missing or of another type."""
    if entry is None or entry.kind not in _LETTERS:
        return ()
    return struct.unpack(f"{order}{entry.count}{_LETTERS[entry.kind]}", entry.raw)


def fractions(entry: Entry | None, order: Order) -> tuple[Fraction, ...]:
    """The fractions of an entry; none if it is missing, of another type, or if one has no value."""
    if entry is None or entry.kind not in (RATIONAL, SRATIONAL):
        return ()
    values = struct.unpack(f"{order}{2 * entry.count}{'L' if entry.kind == RATIONAL else 'l'}", entry.raw)
    if 0 in values[1::2]:
        return ()
    return tuple(Fraction(above, below) for above, below in zip(values[::2], values[1::2], strict=True))


def shorts(order: Order, *values: int) -> Entry:
    """An entry of 16-bit numbers, 32-bit where one of them needs it."""
    if max(values) > 65_535:
        return longs(order, *values)
    return Entry(SHORT, len(values), struct.pack(f"{order}{len(values)}H", *values))


def longs(order: Order, *values: int) -> Entry:
    """An entry of 32-bit numbers."""
    return Entry(LONG, len(values), struct.pack(f"{order}{len(values)}L", *values))


def rational(order: Order, value: Fraction | float) -> Entry:
    """An entry of one fraction, as close to `value` as 32 bits above and below allow."""
    nearest = Fraction(value).limit_denominator(1_000_000)
    while nearest.numerator >= 1 << 32:
        nearest = Fraction((1 << 32) - 1)
    return Entry(RATIONAL, 1, struct.pack(f"{order}2L", nearest.numerator, nearest.denominator))


def head_of(order: Order) -> bytes:
    """What a TIFF structure begins with; its first directory follows at once, at offset 8."""
    return b"II*\0\x08\0\0\0" if order == "<" else b"MM\0*\0\0\0\x08"


def page_of(
    order: Order,
    directory: Directory,
    nested: dict[int, Directory],
    strips: list[bytes],
    *,
    places: tuple[int, int] = (273, 279),
    base: int = 8,
    last: bool = True,
) -> bytes:
    """One page of a TIFF that begins at `base`, which is even: its directory, values, and strips of pixels.

    `places`: the tags that tell where strips (or tiles) lie and how long they are.
    """
    at, lengths = places
    sizes = [len(strip) for strip in strips]
    tags = directory | {at: longs(order, *sizes), lengths: longs(order, *sizes)}
    length = len(packed(order, tags, nested, base=base)[0])
    length += length % 2
    end = base + length + sum(sizes)
    end += end % 2
    tags[at] = longs(order, *accumulate([base + length, *sizes[:-1]]))
    table, _ = packed(order, tags, nested, base=base, following=0 if last else end)
    page = b"".join([table.ljust(length, b"\0"), *strips])
    return page if last else page.ljust(end - base, b"\0")


def packed(
    order: Order,
    directory: Directory,
    nested: dict[int, Directory],
    *,
    base: int = 8,
    following: int = 0,
    fixed: tuple[int, int] | None = None,
) -> tuple[bytes, int]:
    """Bytes of a directory with its values, and the offset at which the directory itself begins.

    `nested`: directories by the tag that points at each of them, wherever that tag belongs. `base`: offset of
    the first byte; `following`: offset of the next directory. `fixed`: (tag, offset) of a value that is put
    where it was, if there is room, since it may hold offsets of its own (maker notes).
    """
    buffer = bytearray()
    kept = next((d[fixed[0]] for d in (directory, *nested.values()) if fixed and fixed[0] in d), None)
    hole = (fixed[1], fixed[1] + len(kept.raw)) if fixed and kept and fixed[1] >= base else (0, 0)

    def reserve(size: int) -> int:
        at = base + len(buffer) + len(buffer) % 2
        if at < hole[1] and at + size > hole[0]:
            at = hole[1] + hole[1] % 2
        buffer.extend(bytes(at + size - base - len(buffer)))
        return at

    def put(tags: Directory, next_one: int) -> int:
        table = reserve(6 + 12 * len(tags)) - base
        struct.pack_into(f"{order}H", buffer, table, len(tags))
        for number, (tag, entry) in enumerate(sorted(tags.items())):
            at = table + 2 + 12 * number
            if tag in nested:
                entry = longs(order, put(nested[tag], 0))
            struct.pack_into(f"{order}HHL", buffer, at, tag, entry.kind, entry.count)
            if len(entry.raw) <= 4:
                buffer[at + 8 : at + 8 + len(entry.raw)] = entry.raw
                continue
            value = hole[0] if entry is kept and hole[1] else reserve(len(entry.raw))
            struct.pack_into(f"{order}L", buffer, at + 8, value)
            missing = value + len(entry.raw) - base - len(buffer)
            buffer.extend(bytes(max(0, missing)))
            buffer[value - base : value - base + len(entry.raw)] = entry.raw
        struct.pack_into(f"{order}L", buffer, table + 2 + 12 * len(tags), next_one)
        return table + base

    start = put(directory, following)
    return bytes(buffer), start
