"""Photographs as people have them: blurred, noisy, resized and compressed twice."""

from __future__ import annotations

from dataclasses import dataclass

from enhance_cli.bench.protocols.contract import Case, ready
from enhance_cli.bench.protocols.jpeg import Jpeg
from enhance_cli.bench.protocols.sr import SuperResolution
from enhance_cli.degrade.photo import photograph
from enhance_cli.metrics.measure import EightBit


@dataclass(frozen=True)
class PhotoSr(SuperResolution):
    """A small photograph, seeded per picture; measured on Y as under "matlab-y", with its baseline."""

    protocol: str = "photo"
    takes_inputs = False

    @property
    def name(self) -> str:
        """As tables head it, "x4 photo"."""
        return f"x{self.scale} photo"

    def degrade(self, clean: EightBit, seed: int) -> Case:
        """Crop to a multiple of the scale and spoil."""
        reference = self.reference(clean)
        return self.accept(reference, photograph(reference, self.scale, seed))


@dataclass(frozen=True)
class PhotoJpeg(Jpeg):
    """A photograph of the reference's size whose last file has a given quality, seeded per picture.

    Measured on all channels.  Networks are told the last quality, as they are where they read it in a file.
    """

    protocol, suffix = "jpeg-photo", " photo"
    takes_inputs = False

    def degrade(self, clean: EightBit, seed: int) -> Case:
        """Spoil without blur."""
        return ready(clean, photograph(clean, 1, seed, (self.quality, self.quality)))
