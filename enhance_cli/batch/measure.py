"""How a result is measured against its reference: the colour, border and figures of each task's papers."""

from __future__ import annotations

import numpy as np

from enhance_cli.errors import ImageError
from enhance_cli.imaging.colour import from_float, rgb_to_y, to_float
from enhance_cli.imaging.mosaic import interpolated
from enhance_cli.imaging.picture import Picture, Pixels
from enhance_cli.imaging.resize import imresize
from enhance_cli.metrics.psnr import psnr
from enhance_cli.metrics.psnrb import psnrb
from enhance_cli.metrics.ssim import ssim
from enhance_cli.tasks import TaskSpec

Metrics = dict[str, float]
"""psnr and ssim, and psnr_b where blocks are looked for; PSNR in dB, inf for equal pictures."""
SMALLEST_SIDE = 11
"""Of SSIM's window."""


def measure(task: TaskSpec, result: Pixels, reference: Pixels, *, border: int = 0) -> Metrics:
    """PSNR and SSIM of the 8-bit result, `border` pixels shaved, and PSNR-B where the task is about blocks.

    On luma or on all channels, as the task wants it, and on the picture itself where it is gray.  Both are
    (H, W, C) of one size.  ImageError if too little is left to measure.
    """
    n_channels = max(result.shape[2], reference.shape[2])
    planes = []
    for pixels in (result, reference):
        if pixels.dtype != np.uint8:
            pixels = from_float(to_float(pixels), np.uint8)
        # Gray beside colour is shown in three equal channels.
        pixels = pixels.repeat(n_channels // pixels.shape[2], axis=2)
        # A gray picture is its own luma, as in the papers' code.
        plane = rgb_to_y(to_float(pixels)) * 255 if task.luma and n_channels == 3 else pixels
        planes.append(plane[border : plane.shape[0] - border, border : plane.shape[1] - border])
    a, b = planes
    if min(a.shape[:2]) < SMALLEST_SIDE:
        raise ImageError(f"too small to compare: {a.shape[1]}x{a.shape[0]} pixels are left of it")
    found = {"psnr": psnr(a, b), "ssim": ssim(a, b)}
    if task.blocking:
        found["psnr_b"] = psnrb(b, a)
    return found


def untreated(task: TaskSpec, picture: Picture, width: int, height: int) -> Pixels:
    """What doing nothing gives: the input, filled in bilinearly if a mosaic, enlarged by MATLAB's bicubic."""
    if task.mosaic:
        return interpolated(picture.pixels)
    if (picture.width, picture.height) == (width, height):
        return picture.pixels
    return imresize(picture.pixels, (height, width))
