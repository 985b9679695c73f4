"""Super-resolution: how the small picture is made, and in which colours results are compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from enhance_cli.bench.protocols.contract import Case, Setting, alike, luma_alike
from enhance_cli.degrade.bicubic import modcrop, shrink
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

    def _small_size(self, reference: EightBit) -> tuple[int, int]:
        return reference.shape[0] // self.scale, reference.shape[1] // self.scale

    def _shrunk(self, reference: EightBit) -> Levels:
        height, width = self._small_size(reference)
        match self.protocol:
            case "float" | "y-only":
                x = reference.astype(np.float64)
                small = imresize(x, (height, width), scale=1 / self.scale, edges=self.edges)
                return np.asarray(small, np.float32)
            case "pil-y":
                return _by_pillow(reference, width, height)
            case "opencv-y":
                shrunk = cv2.resize(reference, (width, height), interpolation=cv2.INTER_CUBIC)
                return np.asarray(shrunk, np.uint8).reshape(height, width, -1)
        return shrink(reference, self.scale, self.edges)

    def _case(self, reference: EightBit, small: Levels) -> Case:
        """Doing nothing, like a network, rounds once, at the end.

        So Set5 x2 has 33.68 dB, where rounding after each pass gives 33.67.
        """
        height, width = reference.shape[:2]
        large: NDArray[Any]
        match self.protocol:
            case "float" | "y-only":
                large = imresize(small.astype(np.float64), (height, width), scale=float(self.scale))
                exact = np.asarray(large.clip(0, 255), np.float32)
                return Case(small, reference, exact if self.exact else eight_bit(large / 255))
            case "pil-y":
                return Case(small, reference, _by_pillow(np.asarray(small, np.uint8), width, height))
            case "opencv-y":
                large = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
                return Case(small, reference, np.asarray(large, np.uint8).reshape(height, width, -1))
        large = imresize(to_float(np.asarray(small, np.uint8)), (height, width), scale=float(self.scale))
        return Case(small, reference, eight_bit(large))


def _by_pillow(x: EightBit, width: int, height: int) -> EightBit:
    picture = Image.fromarray(x[..., 0] if x.shape[2] == 1 else x)
    resized = picture.resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(resized, np.uint8).reshape(height, width, -1)
