"""No damage at all: what a network does to a picture that is good already."""

from __future__ import annotations

from dataclasses import dataclass

from enhance_cli.arch.contract import Task
from enhance_cli.bench.protocols.contract import Case, Setting
from enhance_cli.metrics.measure import EightBit


@dataclass(frozen=True)
class Undamaged(Setting):
    """The clean picture itself; the result is compared with it on all channels.

    Networks that are told a strength are told what `enhance` finds in the picture unasked. Doing nothing is
    perfect, so its PSNR is infinite.
    """

    protocol, baseline = "clean", "input"
    unasked, takes_inputs = True, False
    task: Task

    def degrade(self, clean: EightBit, seed: int) -> Case:
        """Leave it as it is."""
        return Case(clean, clean, clean)
