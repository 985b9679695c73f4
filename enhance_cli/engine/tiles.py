"""Cuts a picture into tiles that give, for exact networks, what the whole picture would give.

A tile is computed from its core plus a halo as wide as the network sees.  The halo stops at the picture's
border, so that the network's own zero padding falls exactly where it falls in the whole picture; and all
boxes start and end on multiples of the network's `multiple`, so that strides and shuffles stay in step.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True)
class Box:
    """Rows top..bottom and columns left..right of a picture, ends excluded."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def rows(self) -> slice:
        """The rows as an index."""
        return slice(self.top, self.bottom)

    @property
    def columns(self) -> slice:
        """The columns as an index."""
        return slice(self.left, self.right)

    @property
    def area(self) -> int:
        """Number of pixels."""
        return (self.bottom - self.top) * (self.right - self.left)

    def within(self, outer: Box) -> Box:
        """The same box, counted from the outer box's corner."""
        return Box(
            self.top - outer.top, self.left - outer.left, self.bottom - outer.top, self.right - outer.left
        )

    def moved(self, distance: int) -> Box:
        """The box, so much further down and to the right."""
        return Box(*(n + distance for n in (self.top, self.left, self.bottom, self.right)))

    def clipped(self, height: int, width: int) -> Box:
        """The part inside a picture of that size; empty if it lies outside."""
        top, bottom = (min(max(n, 0), height) for n in (self.top, self.bottom))
        left, right = (min(max(n, 0), width) for n in (self.left, self.right))
        return Box(top, left, bottom, right)

    def below(self, row: int) -> Box:
        """The part from that row on; empty if the box ends before."""
        return Box(max(self.top, row), self.left, max(self.bottom, row), self.right)

    def scaled(self, scale: int) -> Box:
        """The box in a picture enlarged by a whole factor."""
        return Box(self.top * scale, self.left * scale, self.bottom * scale, self.right * scale)


@dataclass(frozen=True)
class Tile:
    """What is kept of a tile, and what the network is given for it."""

    core: Box
    padded: Box


def plan(height: int, width: int, tile: int, halo: int, multiple: int) -> tuple[Tile, ...]:
    """Tiles, row by row, whose cores cover the picture once.

    `height` and `width` are multiples of `multiple`.  `tile` is the side of a core between two halos (raised
    to a multiple; 0 means the whole picture).  All padded boxes have one size, at most `tile` and two halos,
    evened out so that none is needlessly large: at the border, cores reach further instead of the halo.
    """
    if height % multiple or width % multiple:
        raise ValueError(f"{width}x{height} is not a multiple of {multiple}")
    rows, columns = (spans(side, tile, round_up(halo, multiple), multiple) for side in (height, width))
    return tuple(
        Tile(
            core=Box(row.start, column.start, row.stop, column.stop),
            padded=Box(around_row.start, around_column.start, around_row.stop, around_column.stop),
        )
        for row, around_row in rows
        for column, around_column in columns
    )


def spans(length: int, tile: int, reach: int, multiple: int) -> list[tuple[slice, slice]]:
    """Cores along one axis and what is padded around them; all of the latter have one size."""
    step = round_up(tile, multiple)
    if tile == 0 or length <= step + 2 * reach:
        return [(slice(0, length), slice(0, length))]
    count = math.ceil((length - 2 * reach) / step)
    step = round_up(math.ceil((length - 2 * reach) / count), multiple)
    size = step + 2 * reach
    starts = [min(i * step, length - size) for i in range(count)]
    edges = [0, *(start + reach for start in starts[1:]), length]
    return [
        (slice(*core), slice(start, start + size))
        for core, start in zip(pairwise(edges), starts, strict=True)
    ]


def round_up(n: int, multiple: int) -> int:
    """The smallest multiple that is not below n."""
    return -(-n // multiple) * multiple
