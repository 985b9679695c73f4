"""Motion blur."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from enhance_cli.arch.contract import Task
from enhance_cli.bench.protocols.contract import Case, Clean, Levels, Metrics, plain, ready
from enhance_cli.degrade.blur import blur, motion_kernel


@dataclass(frozen=True)
class MotionBlur:
    """Blur by a random camera path, seeded per picture, rounded to 8 bits; measured on all channels."""

    task: ClassVar[Task] = "deblur"
    baseline: ClassVar[str] = "blurred"
    gray: ClassVar[bool] = False
    scale: ClassVar[int] = 1
    exact: ClassVar[bool] = False
    protocol: ClassVar[str] = "motion"
    condition: ClassVar[None] = None
    name: ClassVar[str] = "motion"

    def degrade(self, clean: Clean, seed: int) -> Case:
        """Blur with the kernel that `seed` gives."""
        blurred = blur(clean, motion_kernel(seed))
        return Case(blurred, clean, blurred)

    def accept(self, clean: Clean, given: Clean) -> Case:
        """A picture that was blurred elsewhere."""
        return ready(clean, given)

    def measure(self, result: Levels, reference: Clean) -> Metrics:
        """Compare (H, W, C) with the reference on all channels."""
        return plain(result, reference)
