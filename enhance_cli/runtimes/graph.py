"""What the runtimes of exported networks have in common, and how any of them loads its package."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

from enhance_cli.arch.contract import ArchSpec
from enhance_cli.errors import RestoreError
from enhance_cli.runtimes.contract import (
    Batch,
    OutOfMemoryError,
    PixelBudget,
    Precision,
    UnavailableError,
    last_line,
)

LIVE_MAPS = 5
"""Feature maps of the largest size that are alive at once: under OpenVINO 2 measured for DnCNN, 4 for AIM and
compact, 5 for EDSR; 7 for unet, whose maps are small."""
BYTES, PIXELS = 2 << 30, 1 << 20
"""Memory for the feature maps of one tile, and its largest area whatever they take."""


class GraphRuntime:
    """A network as an ONNX graph; see `Runtime`.  Subclasses open it and `compute`."""

    name: str
    title: str
    """The name that its makers give it, for messages."""
    out_of_memory: tuple[str, ...]
    """What its errors say then, in lower case."""

    def __init__(
        self,
        graph: bytes,
        spec: ArchSpec,
        floats_per_pixel: float,
        *,
        device: str = "cpu",
        precision: Precision = "float32",
        threads: int = 1,
        notes: tuple[str, ...] = (),
    ) -> None:
        """`floats_per_pixel`: in the largest feature map, for each input pixel.

        UnavailableError if the package cannot be loaded or has no such device, or the graph is refused.
        """
        self.device, self.precision, self.spec, self.notes = device, precision, spec, notes
        self._most = min(PIXELS, int(BYTES / (4 * LIVE_MAPS * floats_per_pixel)))
        self.open(graph, threads)

    def open(self, graph: bytes, threads: int) -> None:
        """Load the package and give it the graph."""
        raise NotImplementedError

    def compute(self, inputs: list[Any]) -> Batch:
        """The result for contiguous inputs, the pictures and perhaps the conditions; may raise anything."""
        raise NotImplementedError

    def __call__(self, x: Batch, condition: float | None) -> Batch:
        """See `Runtime`."""
        try:
            return self.compute(inputs_of(x, condition))
        except Exception as error:  # of kinds that differ from version to version
            problem = last_line(error)
            if isinstance(error, MemoryError) or any(
                sign in str(error).lower() for sign in self.out_of_memory
            ):
                raise OutOfMemoryError(f"{self.title}: {problem}") from error
            raise RestoreError(f"{self.title} failed ({problem}); use --backend torch") from error

    def budget(self, wanted: int) -> PixelBudget:
        """See `Runtime`."""
        most = min(wanted, self._most)
        return PixelBudget(most, most)


def inputs_of(x: Batch, condition: float | None) -> list[Batch]:
    """What a network is called with: the pictures and, for those that are told one, the condition of each."""
    given = [x] if condition is None else [x, np.full((len(x), 1, 1, 1), condition, np.float32)]
    return [np.ascontiguousarray(one) for one in given]


def load_package(name: str, title: str, attribute: str) -> Any:
    """The package; UnavailableError if it cannot be loaded, or something else has its name.

    Python takes any file or folder of that name beside the program for it; `attribute` is what it must have.
    """
    try:
        package = import_module(name)
    except Exception as error:  # whatever a broken package raises, or another program of that name
        raise UnavailableError(f"{title} cannot be loaded: {last_line(error)}") from error
    if not hasattr(package, attribute):
        raise UnavailableError(f"something else is called {name}: {package}")
    return package
