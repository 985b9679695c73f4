"""No damage at all: what a network does to a picture that is good already."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from enhance_cli.arch.contract import Task
from enhance_cli.bench.protocols.contract import Case, Clean, Levels, Metrics, plain, ready


@dataclass(frozen=True)
class Undamaged:
    """The clean picture itself; the result is compared with it on all channels.

    Networks that are told a strength are told what `enhance` finds in the picture unasked. Doing nothing is
    perfect, so its PSNR is infinite.
    """

    baseline: ClassVar[str] = "input"
    gray: ClassVar[bool] = False
    scale: ClassVar[int] = 1
    exact: ClassVar[bool] = False
    protocol: ClassVar[str] = "clean"
    condition: ClassVar[None] = None
    name: ClassVar[str] = "clean"
    task: Task

    def degrade(self, clean: Clean, seed: int) -> Case:
        """Leave it as it is."""
        return Case(clean, clean, clean)

    def accept(self, clean: Clean, given: Clean) -> Case:
        """A picture that somebody else took for clean."""
        return ready(clean, given)

    def measure(self, result: Levels, reference: Clean) -> Metrics:
        """Compare (H, W, C) with the picture on all channels."""
        return plain(result, reference)
