"""How a result is compared with its reference: in which colour, inside which border, by which figures.

This is the one place that knows, for `--reference`, the benchmark and whoever else measures.
Pictures are (H, W, C) on the 0..255 scale, C = 1 (gray) or 3 (RGB).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from enhance_cli.errors import ImageError
from enhance_cli.imaging.colour import from_float, rgb_to_y, to_float
from enhance_cli.imaging.mosaic import interpolated
from enhance_cli.imaging.picture import Pixels
from enhance_cli.imaging.resize import imresize
from enhance_cli.metrics.psnr import psnr
from enhance_cli.metrics.psnrb import psnrb
from enhance_cli.metrics.ssim import WINDOW_SIDE, ssim
from enhance_cli.tasks import TASKS, Task

EightBit = NDArray[np.uint8]
Levels = NDArray[np.uint8] | NDArray[np.float32]
"""A picture on the 0..255 scale, rounded to whole levels or not."""
Metrics = dict[str, float]
"""PSNR in dB and SSIM by name: psnr, ssim, psnr_b, psnr_y, ssim_y; others as their libraries give them."""


def measure(task: Task, result: Pixels, reference: Pixels, scale: float = 1.0) -> Metrics:
    """PSNR and SSIM of the 8-bit result as the task's papers measure them, and PSNR-B if they do.

    Both pictures have one size and 8 or 16 bits; gray beside colour counts as three equal channels, and a
    gray picture is its own luma. `scale` is the enlargement. Raises ImageError if too little is left.
    """
    how = TASKS[task]
    a, b = eight_bit(result), eight_bit(reference)
    channels = max(a.shape[2], b.shape[2])
    a, b = (x.repeat(channels // x.shape[2], axis=2) for x in (a, b))
    border = math.ceil(scale) if how.enlarges else 0
    height, width = (side - 2 * border for side in a.shape[:2])
    if min(height, width) < WINDOW_SIDE:
        raise ImageError(f"too small to compare: {max(width, 0)}x{max(height, 0)} pixels are left of it")
    return compare(a, b, on_luma=how.luma, border=border, blocking=how.blocking)


def compare(
    result: Levels, reference: Levels, *, on_luma: bool = False, border: int = 0, blocking: bool = False
) -> Metrics:
    """PSNR and SSIM, and PSNR-B with `blocking`, inside a border of so many pixels.

    With `on_luma` the pictures may differ in their number of channels. Raises ImageError if the sizes differ.
    """
    a, b = (luma(x) if on_luma else x for x in (result, reference))
    if border:
        a, b = (x[border:-border, border:-border] for x in (a, b))
    metrics = {"psnr": psnr(a, b), "ssim": ssim(a, b)}
    return {**metrics, "psnr_b": psnrb(b, a)} if blocking else metrics


def baseline(task: Task, pixels: Pixels, height: int, width: int) -> Pixels:
    """What doing nothing gives: the input, filled in if it is a mosaic, enlarged by MATLAB's bicubic."""
    if TASKS[task].mosaic:
        return interpolated(pixels)
    return pixels if pixels.shape[:2] == (height, width) else imresize(pixels, (height, width))


def luma(x: Levels) -> NDArray[Any]:
    """The (H, W, 1) luma on the 0..255 scale, not rounded; a gray picture is its own, as in the papers."""
    return x if x.shape[2] == 1 else rgb_to_y(x.astype(np.float64) / 255) * 255


def rounded_luma(x: EightBit) -> EightBit:
    """The (H, W, 1) luma rounded to 8 bits, as MATLAB's rgb2ycbcr gives it for 8-bit pictures."""
    return x if x.shape[2] == 1 else eight_bit(luma(x) / 255)


def eight_bit(x: NDArray[Any]) -> EightBit:
    """8 or 16 bits, or floats in 0..1, as a file of 8 bits holds them: rounded half up, clipped."""
    if x.dtype == np.uint8:
        return x
    return np.asarray(from_float(x if x.dtype.kind == "f" else to_float(x), np.uint8), np.uint8)
