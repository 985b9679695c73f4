"""The runtimes that may compute a network in torch's place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from typing import Any

from enhance_cli.engine.backends import ncnn_net, openvino_net
from enhance_cli.engine.backends.contract import Backend
from enhance_cli.engine.backends.converted import Converted, MakeNet, room
from enhance_cli.engine.backends.graph import Graph
from enhance_cli.engine.backends.ncnn_body import NcnnBody
from enhance_cli.engine.backends.ncnn_net import NcnnNet
from enhance_cli.engine.backends.openvino_net import OpenvinoNet
from enhance_cli.engine.tiles import Room


@dataclass(frozen=True)
class Candidate:
    """A runtime; nothing of it is loaded before it is used."""

    name: str
    """Of the backend, and of its package."""
    body: MakeNet
    tail: MakeNet
    maps: int
    """How many maps of the largest size are alive at once."""
    small_tiles: bool
    """Whether it is faster where memory of the maps is kept."""
    pays: float
    """Gain over torch, on the probe, from which it is taken unasked."""
    load: Callable[[], Any]
    """Gives the package; Unsupported if it cannot be loaded."""

    def installed(self) -> bool:
        """Whether the package is there."""
        return find_spec(self.name) is not None

    def version(self) -> str:
        """Of the package, which is loaded for it where metadata are missing, as in builds from source.

        Unsupported if it cannot be loaded.
        """
        try:
            return metadata.version(self.name)
        except metadata.PackageNotFoundError:
            return str(self.load().__version__)

    def room(self, graph: Graph) -> Room:
        """For one tile."""
        return room(graph, self.maps, self.small_tiles)

    def convert(self, graph: Graph) -> Backend:
        """The graph ready to run; Unsupported if the runtime cannot be loaded, or refuses it."""
        return Converted(graph, self.body, self.tail, self.room(graph))


# ncnn adds both sides of Winograd's transform and keeps what it has freed: 9 maps for EDSR, 15 for compact.
# Its gain shrinks with the size of the tiles: taken from 1.05 on, it lost a sixth on AIM.
NCNN = Candidate("ncnn", NcnnBody, NcnnNet, 14, True, 1.2, ncnn_net.load)
# Measured: 2 maps for DnCNN, 4 for AIM and compact, 5 for EDSR; 7 for unet, whose maps are small.
# Its gain grows: AIM 1.14 to 1.21 on the probe, 1.5 on pictures of 640x480. Below 1.12 it was taken where a
# disturbed comparison had made ncnn look slow.
OPENVINO = Candidate("openvino", OpenvinoNet, OpenvinoNet, 5, False, 1.12, openvino_net.load)
CANDIDATES = (NCNN, OPENVINO)
