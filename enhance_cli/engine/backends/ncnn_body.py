"""ncnn: fast convolutions on CPUs, by Winograd at any vector width, for what `trace` can write down."""

from __future__ import annotations

from collections import OrderedDict

from enhance_cli.engine.backends.converted import Maps
from enhance_cli.engine.backends.graph import Graph
from enhance_cli.engine.backends.ncnn_net import NcnnNet, Pools
from enhance_cli.engine.backends.phases import period, phased

NETS = 4
"""Nets that are kept for sizes that differ in their remainders."""


class NcnnBody:
    """The layers at the picture's size: a net for each remainder of its sides where phases depend on it."""

    def __init__(self, graph: Graph) -> None:
        """Unsupported if ncnn cannot be loaded, or refuses what was written for it."""
        self._graph = graph
        self._period = period(graph)
        self._nets: OrderedDict[tuple[int, int], NcnnNet] = OrderedDict()
        self._pools = Pools()
        self._net(self._period, self._period)

    def run(self, x: Maps, level: float | None = None) -> Maps:
        """See `converted.Net`."""
        return self._net(*x.shape[1:]).run(x, level)

    def _net(self, height: int, width: int) -> NcnnNet:
        key = (height % self._period, width % self._period)
        if key not in self._nets:
            self._nets[key] = NcnnNet(phased(self._graph, height, width), self._pools)
        self._nets.move_to_end(key)
        if len(self._nets) > NETS:
            self._nets.popitem(last=False)
        return self._nets[key]
