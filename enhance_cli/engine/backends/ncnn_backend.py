"""ncnn: fast convolutions on CPUs, by Winograd at any vector width, for what `trace` can write down."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
import torch
from torch import Tensor

from enhance_cli.engine import tiles
from enhance_cli.engine.backends.division import divide, reach
from enhance_cli.engine.backends.graph import Graph
from enhance_cli.engine.backends.ncnn_net import Maps, NcnnNet, Pools
from enhance_cli.engine.backends.phases import period, phased
from enhance_cli.engine.backends.sizes import LARGE, floats_per_pixel, sizes

BYTES, MAPS = 2 << 30, 14
"""Memory for the blobs of one tile, and how many of the largest size are alive at once: ncnn adds both sides
of Winograd's transform and keeps what it has freed (measured: 9 for EDSR, 15 for compact)."""
MOST_PIXELS = 1 << 20
"""Largest area of a tile, whatever it takes."""
PIECE = 64
"""Side of the pieces in which enlarged maps are made: they then stay in the processor's cache."""
NETS = 4
"""Nets that are kept for sizes that differ in their remainders."""


class NcnnBackend:
    """A converted network."""

    def __init__(self, graph: Graph) -> None:
        """Unsupported if ncnn cannot be loaded, or refuses what was written for it."""
        first, rest = divide(graph) or (graph, None)
        self._body = _Body(first)
        self._enlarger = _Enlarger(rest) if rest else None
        self._most = min(MOST_PIXELS, int(BYTES / (4 * MAPS * floats_per_pixel(first))))

    def __call__(self, x: Tensor, condition: Tensor | None) -> Tensor:
        """See `Backend`."""
        y = self._body.run(x[0].numpy(), None if condition is None else float(condition))
        if self._enlarger:
            y = self._enlarger.run(y)
        return torch.from_numpy(y)[None]

    def room(self, wanted: int) -> int:
        """See `Backend`."""
        return min(wanted, self._most)


class _Body:
    """The layers at the picture's size: a net for each remainder of its sides where phases depend on it."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._period = period(graph)
        self._nets: OrderedDict[tuple[int, int], NcnnNet] = OrderedDict()
        self._pools = Pools()
        self._net(self._period, self._period)

    def run(self, x: Maps, level: float | None) -> Maps:
        return self._net(*x.shape[1:]).run(x, level)

    def _net(self, height: int, width: int) -> NcnnNet:
        key = (height % self._period, width % self._period)
        if key not in self._nets:
            self._nets[key] = NcnnNet(phased(self._graph, height, width), self._pools)
        self._nets.move_to_end(key)
        if len(self._nets) > NETS:
            self._nets.popitem(last=False)
        return self._nets[key]


class _Enlarger:
    """The layers on enlarged maps, piece by piece."""

    def __init__(self, graph: Graph) -> None:
        self._net = NcnnNet(graph, Pools())
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
