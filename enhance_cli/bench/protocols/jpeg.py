"""JPEG artefacts, of the luma alone or of the colour picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from enhance_cli.arch.contract import Task
from enhance_cli.bench.protocols.contract import (
    Case,
    Clean,
    Levels,
    Metrics,
    luma_alike,
    plain,
    ready,
    rounded_luma,
)
from enhance_cli.degrade.jpeg import compress
from enhance_cli.metrics.psnrb import psnrb


@dataclass(frozen=True)
class JpegLuma:
    """libjpeg on the gray picture or on a colour picture's Y (rounded to 8 bits); nothing shaved."""

    task: ClassVar[Task] = "dejpeg"
    baseline: ClassVar[str] = "jpeg"
    gray: ClassVar[bool] = True
    scale: ClassVar[int] = 1
    exact: ClassVar[bool] = False
    protocol: ClassVar[str] = "jpeg-y"
    quality: int

    @property
    def name(self) -> str:
        """As tables head it, "q10"."""
        return f"q{self.quality}"

    @property
    def condition(self) -> float:
        """The quality, for networks that are told."""
        return float(self.quality)

    def degrade(self, clean: Clean, seed: int) -> Case:
        """Encode the luma as a gray JPEG."""
        reference = rounded_luma(clean)
        coded = compress(reference, self.quality)
        return Case(coded, reference, coded)

    def accept(self, clean: Clean, given: Clean) -> Case:
        """A picture that was compressed elsewhere: its luma, or as RGB."""
        return ready(rounded_luma(clean), luma_alike(given, clean))

    def measure(self, result: Levels, reference: Clean) -> Metrics:
        """Compare (H, W, 1) with the reference."""
        return {**plain(result, reference), "psnr_b": psnrb(reference, result)}


@dataclass(frozen=True)
class JpegColour:
    """libjpeg on the RGB picture, chroma halved (4:2:0); PSNR and SSIM on RGB, nothing shaved."""

    task: ClassVar[Task] = "dejpeg"
    baseline: ClassVar[str] = "jpeg"
    gray: ClassVar[bool] = False
    scale: ClassVar[int] = 1
    exact: ClassVar[bool] = False
    protocol: ClassVar[str] = "jpeg-rgb"
    quality: int

    @property
    def name(self) -> str:
        """As the table heads it, "q10 rgb"."""
        return f"q{self.quality} rgb"

    @property
    def condition(self) -> float:
        """The quality, for networks that are told."""
        return float(self.quality)

    def degrade(self, clean: Clean, seed: int) -> Case:
        """Encode the picture as it is."""
        coded = compress(clean, self.quality)
        return Case(coded, clean, coded)

    def accept(self, clean: Clean, given: Clean) -> Case:
        """A picture that was compressed elsewhere."""
        return ready(clean, given)

    def measure(self, result: Levels, reference: Clean) -> Metrics:
        """Compare (H, W, C) with the reference on all channels."""
        return plain(result, reference)
