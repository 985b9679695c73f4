"""What the runner asks of a backend."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from enhance_cli.engine.tiles import Room


class Backend(Protocol):
    """A network that is ready to run."""

    def __call__(self, x: Tensor, condition: Tensor | None) -> Tensor:
        """(N, C, H, W) float32 in 0..value_range, condition (N, 1, 1, 1) or None -> the network's result.

        N is 1 on the CPU.  Called in inference mode.  MemoryError or torch's own errors where memory runs
        out.
        """

    def room(self, wanted: int) -> Room:
        """How many input pixels may go through at once: as many as wanted, or fewer."""
