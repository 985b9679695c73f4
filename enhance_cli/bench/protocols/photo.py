"""Photographs as people have them: blurred, noisy, resized and compressed twice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from enhance_cli.arch.contract import Task
from enhance_cli.bench.protocols.contract import Case, Clean, Levels, Metrics, plain, ready
from enhance_cli.bench.protocols.sr import SuperResolution
from enhance_cli.degrade.photo import photograph


@dataclass(frozen=True)
class PhotoSr:
    """A small photograph, seeded per picture; measured on Y as under "matlab-y", with its baseline."""

    task: ClassVar[Task] = "sr"
    baseline: ClassVar[str] = "bicubic"
    gray: ClassVar[bool] = False
    exact: ClassVar[bool] = False
    protocol: ClassVar[str] = "photo"
    condition: ClassVar[None] = None
    scale: int

    @property
    def name(self) -> str:
        """As tables head it, "x4 photo"."""
        return f"x{self.scale} photo"

    def degrade(self, clean: Clean, seed: int) -> Case:
        """Crop to a multiple of the scale and spoil; ImageError if the picture is smaller than the scale."""
        reference = self._bicubic.reference(clean)
        return self.accept(reference, photograph(reference, self.scale, seed))

    def accept(self, clean: Clean, given: Clean) -> Case:
        """A small picture made elsewhere, for the reference cropped to a multiple of the scale."""
        return self._bicubic.accept(clean, given)

    def measure(self, result: Levels, reference: Clean) -> Metrics:
        """Compare (H, W, C), or (H, W, 1) luma, with the reference."""
        return self._bicubic.measure(result, reference)

    @property
    def _bicubic(self) -> SuperResolution:
        return SuperResolution(self.scale)


@dataclass(frozen=True)
class PhotoJpeg:
    """A photograph of the reference's size whose last file has a given quality, seeded per picture.

    Measured on all channels.  Networks are told the last quality, as they are where they read it in a file.
    """

    task: ClassVar[Task] = "dejpeg"
    baseline: ClassVar[str] = "jpeg"
    gray: ClassVar[bool] = False
    scale: ClassVar[int] = 1
    exact: ClassVar[bool] = False
    protocol: ClassVar[str] = "jpeg-photo"
    quality: int

    @property
    def name(self) -> str:
        """As tables head it, "q10 photo"."""
        return f"q{self.quality} photo"

    @property
    def condition(self) -> float:
        """The last quality."""
        return float(self.quality)

    def degrade(self, clean: Clean, seed: int) -> Case:
        """Spoil without blur."""
        return self.accept(clean, photograph(clean, 1, seed, (self.quality, self.quality)))

    def accept(self, clean: Clean, given: Clean) -> Case:
        """A picture that was spoilt elsewhere."""
        return ready(clean, given)

    def measure(self, result: Levels, reference: Clean) -> Metrics:
        """Compare (H, W, C) with the reference on all channels."""
        return plain(result, reference)
