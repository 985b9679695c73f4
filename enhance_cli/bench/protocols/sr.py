"""Super-resolution: how the small picture is made, and in which colours results are compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from enhance_cli.arch.contract import Task
from enhance_cli.bench.protocols.contract import (
    Case,
    Clean,
    Levels,
    Metrics,
    alike,
    luma,
    luma_alike,
    plain,
    rounded_luma,
    to_levels,
)
from enhance_cli.degrade.bicubic import modcrop, shrink
from enhance_cli.errors import ImageError
from enhance_cli.imaging.colour import to_float
from enhance_cli.imaging.resize import Edges, imresize
from enhance_cli.metrics.psnr import psnr
from enhance_cli.metrics.ssim import ssim

SrProtocol = Literal["matlab-y", "y-only", "rgb", "float", "pil-y", "opencv-y"]
PROTOCOLS: tuple[SrProtocol, ...] = get_args(SrProtocol)


@dataclass(frozen=True)
class SuperResolution:
    """Bicubic shrinking; `scale` border pixels are shaved before measuring.

    "matlab-y": MATLAB's imresize on the RGB picture, PSNR and SSIM on Y; a gray picture is its own luma,
    without studio range, as in the papers.  "y-only": Y is rounded to 8 bits and then shrunk by itself, in
    float, as in the code of SRCNN and VDSR; it gives the papers' bicubic figures.  "rgb": as "matlab-y",
    measured on all channels.  "float": as "matlab-y", with nothing rounded to 8 bits, neither the small
    picture nor the result.  "pil-y", "opencv-y": shrunk by Pillow (antialiased) or OpenCV (not), as much
    code does; other figures.
    """

    task: ClassVar[Task] = "sr"
    baseline: ClassVar[str] = "bicubic"
    condition: ClassVar[None] = None
    scale: int
    protocol: SrProtocol = "matlab-y"
    edges: Edges = "mirror"
    """What MATLAB's imresize sees outside: mirrored (now) or replicated (older versions)."""

    @property
    def name(self) -> str:
        """As tables head it, "x4"."""
        return f"x{self.scale}"

    @property
    def gray(self) -> bool:
        """Only "y-only" takes luma alone."""
        return self.protocol == "y-only"

    @property
    def exact(self) -> bool:
        """Only "float" is."""
        return self.protocol == "float"

    def degrade(self, clean: Clean, seed: int) -> Case:
        """Crop to a multiple of the scale and shrink; the baseline is the small picture enlarged.

        ImageError if the picture is smaller than the scale.
        """
        reference = self.reference(clean)
        return self._case(reference, self._shrunk(reference))

    def accept(self, clean: Clean, given: Clean) -> Case:
        """A small picture made elsewhere, for the reference cropped to a multiple of the scale."""
        reference = self.reference(clean)
        height, width = self._small_size(reference)
        if given.shape[:2] != (height, width):
            found = f"{given.shape[1]}x{given.shape[0]}"
            raise ImageError(f"the input is {found}, and {width}x{height} would be {self.name} smaller")
        small = luma_alike(given, clean) if self.gray else alike(given, reference)
        return self._case(reference, small.astype(np.float32) if self._floats else small)

    def measure(self, result: Levels, reference: Clean) -> Metrics:
        """Compare (H, W, C), or (H, W, 1) luma, with the reference."""
        inside = slice(self.scale, -self.scale)
        if self.protocol == "rgb":
            return plain(result[inside, inside], reference[inside, inside])
        a, b = (luma(x)[inside, inside] for x in (result, reference))
        return {"psnr_y": psnr(a, b), "ssim_y": ssim(a, b)}

    def reference(self, clean: Clean) -> Clean:
        """What results are compared with; ImageError if the picture is smaller than the scale."""
        height, width = clean.shape[:2]
        if min(height, width) < self.scale:
            raise ImageError(f"the picture is {width}x{height}, too small for {self.name}; leave it out")
        return modcrop(rounded_luma(clean) if self.gray else clean, self.scale)

    @property
    def _floats(self) -> bool:
        """Whether the small picture is kept from rounding."""
        return self.protocol in ("float", "y-only")

    def _small_size(self, reference: Clean) -> tuple[int, int]:
        return reference.shape[0] // self.scale, reference.shape[1] // self.scale

    def _shrunk(self, reference: Clean) -> Levels:
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

    def _case(self, reference: Clean, small: Levels) -> Case:
        """Doing nothing, like a network, rounds once, at the end.

        So Set5 x2 has 33.68 dB, where rounding after each pass gives 33.67.
        """
        height, width = reference.shape[:2]
        large: NDArray[Any]
        match self.protocol:
            case "float" | "y-only":
                large = imresize(small.astype(np.float64), (height, width), scale=float(self.scale))
                exact = np.asarray(large.clip(0, 255), np.float32)
                return Case(small, reference, exact if self.exact else to_levels(large / 255))
            case "pil-y":
                return Case(small, reference, _by_pillow(np.asarray(small, np.uint8), width, height))
            case "opencv-y":
                large = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
                return Case(small, reference, np.asarray(large, np.uint8).reshape(height, width, -1))
        large = imresize(to_float(np.asarray(small, np.uint8)), (height, width), scale=float(self.scale))
        return Case(small, reference, to_levels(large))


def _by_pillow(x: Clean, width: int, height: int) -> Clean:
    picture = Image.fromarray(x[..., 0] if x.shape[2] == 1 else x)
    resized = picture.resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(resized, np.uint8).reshape(height, width, -1)
