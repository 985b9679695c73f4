"""Super-resolution: how the small picture is made, and in which colours results are compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from PIL import Image

from enhance_cli.bench.protocols.contract import Case, Setting, alike, luma_alike
from enhance_cli.degrade.bicubic import modcrop, shrink
from enhance_cli.degrade.photo import photograph
from enhance_cli.errors import ImageError
from enhance_cli.imaging.colour import to_float
from enhance_cli.imaging.resize import Edges, imresize
from enhance_cli.metrics.measure import EightBit, Levels, Metrics, compare, eight_bit, rounded_luma

PROTOCOLS = ("matlab-y", "y-only", "rgb", "float", "pil-y", "opencv-y")


@dataclass(frozen=True)
class SuperResolution(Setting):
    """Bicubic shrinking; `scale` border pixels are shaved before measuring.

    "matlab-y": MATLAB's imresize on the RGB picture, PSNR and SSIM on Y; a gray picture is its own luma,
    without studio range, as in the papers.  "y-only": Y is rounded to 8 bits and then shrunk by itself, in
    float, as in the code of SRCNN and VDSR; it gives the papers' bicubic figures.  "rgb": as "matlab-y",
    measured on all channels.  "float": as "matlab-y", with nothing rounded to 8 bits, neither the small
    picture nor the result.  "pil-y", "opencv-y": shrunk by Pillow (antialiased) or OpenCV (not), as much
    code does; other figures.
    """

    task, baseline = "sr", "bicubic"
    scale: int = 4
    protocol: str = "matlab-y"
    edges: Edges = "mirror"
    """What MATLAB's imresize sees outside: mirrored (now) or replicated (older versions)."""

    @property
    def name(self) -> str:
        """As tables head it, "x4"."""
        return f"x{self.scale}"

    @property
    def label(self) -> str:
        """The protocol's name, and the edges where they are not the usual ones and matter."""
        by_matlab = self.protocol not in ("pil-y", "opencv-y")
        return f"{self.protocol} {self.edges}" if by_matlab and self.edges != "mirror" else self.protocol

    @property
    def takes_inputs(self) -> bool:
        """Only protocols of MATLAB's 8-bit pictures, which is what lies beside sets."""
        return self.protocol in ("matlab-y", "rgb")

    @property
    def gray(self) -> bool:
        """Only "y-only" takes luma alone."""
        return self.protocol == "y-only"

    @property
    def exact(self) -> bool:
        """Only "float" is."""
        return self.protocol == "float"

    def degrade(self, clean: EightBit, seed: int) -> Case:
        """Crop to a multiple of the scale and shrink; the baseline is the small picture enlarged.

        Raises ImageError if the picture is smaller than the scale.
        """
        reference = self.reference(clean)
        return self._case(reference, self._shrunk(reference))

    def accept(self, clean: EightBit, given: EightBit) -> Case:
        """A small picture made elsewhere, for the reference cropped to a multiple of the scale."""
        reference = self.reference(clean)
        height, width = self._small_size(reference)
        if given.shape[:2] != (height, width):
            found = f"{given.shape[1]}x{given.shape[0]}"
            raise ImageError(f"the input is {found}, and {width}x{height} would be x{self.scale} smaller")
        small = luma_alike(given, clean) if self.gray else alike(given, reference)
        return self._case(reference, small.astype(np.float32) if self._floats else small)

    def measure(self, result: Levels, reference: EightBit) -> Metrics:
        """Compare (H, W, C), or (H, W, 1) luma, with the reference."""
        if self.protocol == "rgb":
            return compare(result, reference, border=self.scale)
        found = compare(result, reference, on_luma=True, border=self.scale)
        return {f"{name}_y": value for name, value in found.items()}

    def reference(self, clean: EightBit) -> EightBit:
        """What results are compared with; raises ImageError if the picture is smaller than the scale."""
        height, width = clean.shape[:2]
        if min(height, width) < self.scale:
            raise ImageError(f"the picture is {width}x{height}, too small for x{self.scale}; leave it out")
        return modcrop(rounded_luma(clean) if self.gray else clean, self.scale)

    @property
    def _floats(self) -> bool:
        """Whether the small picture is kept from rounding."""
        return self.protocol in ("float", "y-only")

    def _shrunk(self, reference: EightBit) -> Levels:
        height, width = self._small_size(reference)
        if self._floats:
            x = reference.astype(np.float64)
            return np.asarray(
                imresize(x, (height, width), scale=1 / self.scale, edges=self.edges), np.float32
            )
        if self.protocol in ("pil-y", "opencv-y"):
            return _by_library(self.protocol, reference, width, height)
        return shrink(reference, self.scale, self.edges)

    def _small_size(self, reference: EightBit) -> tuple[int, int]:
        return reference.shape[0] // self.scale, reference.shape[1] // self.scale

    def _case(self, reference: EightBit, small: Levels) -> Case:
        """Doing nothing, like a network, rounds once, at the end.

        So Set5 x2 has 33.68 dB, where rounding after each pass gives 33.67.
        """
        height, width = reference.shape[:2]
        if self.protocol in ("pil-y", "opencv-y"):
            large = _by_library(self.protocol, np.asarray(small, np.uint8), width, height)
            return Case(small, reference, large)
        x = small.astype(np.float64) if self._floats else to_float(np.asarray(small, np.uint8))
        enlarged = imresize(x, (height, width), scale=float(self.scale))
        if self.exact:
            return Case(small, reference, np.asarray(enlarged.clip(0, 255), np.float32))
        return Case(small, reference, eight_bit(enlarged / 255 if self._floats else enlarged))


def _by_library(protocol: str, x: EightBit, width: int, height: int) -> EightBit:
    """Resized by Pillow or OpenCV."""
    if protocol == "pil-y":
        picture = Image.fromarray(x[..., 0] if x.shape[2] == 1 else x)
        resized: Any = picture.resize((width, height), Image.Resampling.BICUBIC)
    else:
        resized = cv2.resize(x, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(resized, np.uint8).reshape(height, width, -1)


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
