"""Runs a graph by what another runtime made of it: in one net, or in two where it enlarges at its end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from enhance_cli.engine import tiles
from enhance_cli.engine.backends.division import divide, reach
from enhance_cli.engine.backends.graph import Graph
from enhance_cli.engine.backends.sizes import LARGE, floats_per_pixel, sizes
from enhance_cli.engine.memory import LARGEST_KEPT
from enhance_cli.engine.tiles import Room

Maps = NDArray[np.float32]
"""(C, H, W)."""
BYTES = 2 << 30
"""Memory for the blobs of one tile."""
MOST_PIXELS = 1 << 20
"""Largest area of a tile, whatever it takes."""
PIECE = 64
"""Side of the pieces in which enlarged maps are made: they then stay in the processor's cache."""


class Net(Protocol):
    """A graph as a runtime holds it."""

    def run(self, x: Maps, level: float | None = None) -> Maps:
        """The result for x; `level` goes to networks that are told a condition.

        MemoryError where memory runs out, RestoreError where the runtime fails otherwise.
        """


MakeNet = Callable[[Graph], Net]
"""Unsupported where the runtime cannot be loaded, or refuses what was written for it."""


class Converted:
    """A converted network."""

    def __init__(self, graph: Graph, body: MakeNet, tail: MakeNet, room: Room) -> None:
        """`body` makes the net that is given tiles within that room, `tail` that of the pieces."""
        first, rest = divide(graph) or (graph, None)
        self._body = body(first)
        self._enlarger = _Enlarger(rest, tail(rest)) if rest else None
        self._room = room

    def __call__(self, x: Tensor, condition: Tensor | None) -> Tensor:
        """See `Backend`."""
        y = self._body.run(x[0].numpy(), None if condition is None else float(condition))
        if self._enlarger:
            y = self._enlarger.run(y)
        return torch.from_numpy(y)[None]

    def room(self, wanted: int) -> Room:
        """See `Backend`."""
        return self._room.within(wanted)


def room(graph: Graph, maps: int, small_tiles: bool) -> Room:
    """Of a tile, for a runtime that has so many maps of the largest size alive at once.

    `small_tiles`: whether it is faster where memory of the maps is kept.
    """
    first, _ = divide(graph) or (graph, None)
    bytes_per_pixel = 4 * floats_per_pixel(first)
    most = min(MOST_PIXELS, int(BYTES / (maps * bytes_per_pixel)))
    return Room(most, int(LARGEST_KEPT / bytes_per_pixel) if small_tiles else most)


class _Enlarger:
    """The layers on enlarged maps, piece by piece."""

    def __init__(self, graph: Graph, net: Net) -> None:
        self._net = net
        self._reach = reach(graph)
        channels, height, _ = sizes(graph, LARGE, LARGE)[graph.output]
        self._channels, self._scale = channels, height // LARGE

    def run(self, x: Maps) -> Maps:
        height, width = x.shape[1:]
        scale = self._scale
        out = np.empty((self._channels, height * scale, width * scale), np.float32)
        for tile in tiles.plan(height, width, PIECE, self._reach, 1):
            y = self._net.run(x[:, tile.padded.rows, tile.padded.columns])
            part, place = tile.core.within(tile.padded).scaled(scale), tile.core.scaled(scale)
            out[:, place.rows, place.columns] = y[:, part.rows, part.columns]
        return out
