"""Super-resolution: how the small picture is made, and in which colours results are compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from enhance_cli.arch.contract import Task
from enhance_cli.bench.protocols.contract import Case, Clean, Levels, Metrics, luma, plain, to_levels
from enhance_cli.degrade.bicubic import modcrop, shrink
from enhance_cli.errors import ImageError
from enhance_cli.imaging.colour import to_float
from enhance_cli.imaging.resize import Edges, imresize
from enhance_cli.metrics.psnr import psnr
from enhance_cli.metrics.ssim import ssim

SrProtocol = Literal["matlab-y", "rgb", "float", "pil-y", "opencv-y"]
PROTOCOLS: tuple[SrProtocol, ...] = get_args(SrProtocol)


@dataclass(frozen=True)
class SuperResolution:
    """Bicubic shrinking; `scale` border pixels are shaved before measuring.

    "matlab-y": MATLAB's imresize on the RGB picture, PSNR and SSIM on Y; a gray picture is its own luma,
    without studio range, as in the papers.  "rgb": the same, measured on all channels.  "float": the same on
    Y, with nothing rounded to 8 bits, neither the small picture nor the result, as VDSR's authors measured.
    "pil-y", "opencv-y": shrunk by Pillow (antialiased) or OpenCV (not), as much code does; other figures.
    """

    task: ClassVar[Task] = "sr"
    baseline: ClassVar[str] = "bicubic"
    gray: ClassVar[bool] = False
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
    def exact(self) -> bool:
        """Only "float" is."""
        return self.protocol == "float"

    def degrade(self, clean: Clean, seed: int) -> Case:
        """Crop to a multiple of the scale and shrink; the baseline is the small picture enlarged."""
        reference = modcrop(clean, self.scale)
        return self._case(reference, self._shrunk(reference))

    def accept(self, clean: Clean, given: Clean) -> Case:
        """A small picture made elsewhere, for the reference cropped to a multiple of the scale."""
        reference = modcrop(clean, self.scale)
        height, width = reference.shape[0] // self.scale, reference.shape[1] // self.scale
        if given.shape[:2] != (height, width):
            found = f"{given.shape[1]}x{given.shape[0]}"
            raise ImageError(f"the input is {found}, and {width}x{height} would be {self.name} smaller")
        return self._case(reference, _alike(given, reference))

    def measure(self, result: Levels, reference: Clean) -> Metrics:
        """Compare (H, W, C), or (H, W, 1) luma, with the reference."""
        inside = slice(self.scale, -self.scale)
        if self.protocol == "rgb":
            return plain(result[inside, inside], reference[inside, inside])
        a, b = (luma(x)[inside, inside] for x in (result, reference))
        return {"psnr_y": psnr(a, b), "ssim_y": ssim(a, b)}

    def _shrunk(self, reference: Clean) -> Levels:
        height, width = reference.shape[0] // self.scale, reference.shape[1] // self.scale
        match self.protocol:
            case "float":
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

        So it gives the 33.68 dB (Set5 x2) of the literature, where rounding after each pass gives 33.67.
        """
        height, width = reference.shape[:2]
        large: NDArray[Any]
        match self.protocol:
            case "float":
                large = imresize(small.astype(np.float64), (height, width), scale=float(self.scale))
                return Case(small, reference, np.asarray(large.clip(0, 255), np.float32))
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


def _alike(given: Clean, reference: Clean) -> Clean:
    """A gray file beside a colour reference, or the other way round, with the reference's channels."""
    if given.shape[2] == reference.shape[2]:
        return given
    return given[..., :1] if reference.shape[2] == 1 else given.repeat(3, axis=2)
