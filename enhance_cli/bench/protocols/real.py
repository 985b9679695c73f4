"""Pictures as they are: pairs with real damage, and good pictures, which networks should leave alone."""

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
