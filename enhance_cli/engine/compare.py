"""How a result is measured against its reference: the colour, border and figures of each task's papers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from enhance_cli.engine.progress import Metrics
from enhance_cli.errors import ImageError
from enhance_cli.imaging.colour import from_float, rgb_to_y, to_float
from enhance_cli.imaging.mosaic import interpolated
from enhance_cli.imaging.picture import Picture, Pixels
from enhance_cli.imaging.resize import imresize
from enhance_cli.metrics.psnr import psnr
from enhance_cli.metrics.psnrb import psnrb
from enhance_cli.metrics.ssim import ssim

SMALLEST = 11
"""Side of SSIM's window."""


def figures(task: str, result: Pixels, reference: Pixels, *, border: int = 0) -> Metrics:
    """PSNR and SSIM of the 8-bit result, and PSNR-B for dejpeg.

    On Y for sr (`border` pixels shaved) and dejpeg, on RGB for the rest; on the picture itself where it
    is gray.  Both (H, W, C) of one size.  ImageError if too little is left to measure.
    """
    a, b = _alike(eight_bit(result), eight_bit(reference))
    if task in ("sr", "dejpeg"):
        a, b = _luma(a), _luma(b)
    if border:
        a, b = a[border:-border, border:-border], b[border:-border, border:-border]
    if min(a.shape[:2]) < SMALLEST:
        raise ImageError(f"too small to compare: {a.shape[1]}x{a.shape[0]} pixels are left of it")
    found = {"psnr": psnr(a, b), "ssim": ssim(a, b)}
    if task == "dejpeg":
        found["psnr_b"] = psnrb(b, a)
    return found


def untreated(task: str, picture: Picture, width: int, height: int) -> Pixels:
    """What doing nothing gives: the input, filled in bilinearly if a mosaic, enlarged by MATLAB's bicubic."""
    if task == "demosaic":
        return interpolated(picture.pixels)
    if (picture.width, picture.height) == (width, height):
        return picture.pixels
    return imresize(picture.pixels, (height, width))


def eight_bit(pixels: Pixels) -> NDArray[np.uint8]:
    """The pixels on the 0..255 scale, rounded if they are deeper."""
    if pixels.dtype != np.uint8:
        pixels = from_float(to_float(pixels), np.dtype(np.uint8))
    return pixels  # type: ignore[return-value]


def _alike(a: Pixels, b: Pixels) -> tuple[Pixels, Pixels]:
    """Gray beside colour is shown in three equal channels."""
    n_colours = max(a.shape[2], b.shape[2])
    return tuple(x.repeat(n_colours // x.shape[2], axis=2) for x in (a, b))  # type: ignore[return-value]


def _luma(pixels: Pixels) -> NDArray[Any]:
    """0..255; a gray picture is its own luma, as in the papers' code."""
    return pixels if pixels.shape[2] == 1 else rgb_to_y(to_float(pixels)) * 255
