"""JPEG artefacts, of the luma alone or of the colour picture."""

from __future__ import annotations

from dataclasses import dataclass

from enhance_cli.bench.protocols.contract import Case, Setting, luma_alike, ready
from enhance_cli.degrade.jpeg import compress
from enhance_cli.degrade.photo import photograph
from enhance_cli.metrics.measure import EightBit, Levels, Metrics, compare, rounded_luma


@dataclass(frozen=True)
class Jpeg(Setting):
    """What the JPEG protocols have in common: a quality, which networks are told that ask for one."""

    task, baseline = "dejpeg", "jpeg"
    suffix = ""
    """What stands behind the quality in the setting's name."""
    quality: int

    @property
    def name(self) -> str:
        """As tables head it, "q10"."""
        return f"q{self.quality}{self.suffix}"

    @property
    def condition(self) -> float:
        """The quality."""
        return float(self.quality)


@dataclass(frozen=True)
class JpegLuma(Jpeg):
    """libjpeg on the gray picture or on a colour picture's Y (rounded to 8 bits); nothing shaved."""

    protocol = "jpeg-y"
    gray = True

    def degrade(self, clean: EightBit, seed: int) -> Case:
        """Encode the luma as a gray JPEG."""
        reference = rounded_luma(clean)
        return ready(reference, compress(reference, self.quality))

    def accept(self, clean: EightBit, given: EightBit) -> Case:
        """A picture that was compressed elsewhere: its luma, or as RGB."""
        return ready(rounded_luma(clean), luma_alike(given, clean))

    def measure(self, result: Levels, reference: EightBit) -> Metrics:
        """Compare (H, W, 1) with the reference."""
        return compare(result, reference, blocking=True)


@dataclass(frozen=True)
class JpegColour(Jpeg):
    """libjpeg on the RGB picture, chroma halved (4:2:0); PSNR and SSIM on RGB, nothing shaved."""

    protocol, suffix = "jpeg-rgb", " rgb"
    needs_colour = True

    def degrade(self, clean: EightBit, seed: int) -> Case:
        """Encode the picture as it is."""
        return ready(clean, compress(clean, self.quality))


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
