"""Real damage: pairs of a picture as a camera made it and of what it should have been."""

from __future__ import annotations

from dataclasses import dataclass

from enhance_cli.arch.contract import Task
from enhance_cli.bench.datasets.layouts import PAIRED
from enhance_cli.bench.protocols.contract import Case, Setting
from enhance_cli.bench.protocols.sr import SuperResolution
from enhance_cli.errors import ImageError
from enhance_cli.metrics.measure import EightBit, Levels, Metrics, compare


@dataclass(frozen=True)
class RealPair(Setting):
    """A picture with real noise or blur, beside one without; measured on all channels.

    Networks that are told a strength are told what `enhance` finds in the picture unasked.
    """

    protocol, baseline, inputs = "real", "input", PAIRED
    unasked = needs_inputs = True
    task: Task

    def degrade(self, clean: EightBit, seed: int) -> Case:
        """Real damage cannot be made: raises ImageError."""
        raise ImageError("there is no real picture beside it, and real damage cannot be made")


@dataclass(frozen=True)
class RealSr(SuperResolution):
    """A small picture of unknown making; measured on all channels, `scale` border pixels shaved."""

    protocol: str = "real"
    needs_inputs = takes_inputs = True

    @property
    def name(self) -> str:
        """As tables head it, "x4 real"."""
        return f"x{self.scale} real"

    def measure(self, result: Levels, reference: EightBit) -> Metrics:
        """Compare (H, W, C) with the reference on all channels."""
        return compare(result, reference, border=self.scale)

    def degrade(self, clean: EightBit, seed: int) -> Case:
        """Real damage cannot be made: raises ImageError."""
        return RealPair("sr").degrade(clean, seed)
