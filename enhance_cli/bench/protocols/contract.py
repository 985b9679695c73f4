"""What a protocol is: how a clean picture is degraded, and how a restored one is measured.

A setting is one column of a paper's table ("x4", "q10") under a named protocol. Arrays are (H, W, C) on the
0..255 scale, C = 1 (gray) or 3 (RGB), each picture as it is stored.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from enhance_cli.arch.contract import Task
from enhance_cli.errors import ImageError
from enhance_cli.imaging.colour import from_float, rgb_to_y
from enhance_cli.metrics.psnr import psnr
from enhance_cli.metrics.ssim import ssim

Clean = NDArray[np.uint8]
Levels = NDArray[np.uint8] | NDArray[np.float32]
Metrics = dict[str, float]
"""PSNR in dB and SSIM by name: psnr, ssim, psnr_b, psnr_y, ssim_y; others as their libraries give them."""


@dataclass(frozen=True)
class Case:
    """One degraded picture."""

    given: Levels
    """What the network gets: uint8, or float32 where a file's 8 bits would spoil it."""
    reference: Clean
    """What its result is compared with."""
    baseline: Levels
    """The answer of doing nothing, of the reference's size."""


class Setting(Protocol):
    """One column of a table.  Implementations are frozen dataclasses: equal settings measure the same."""

    @property
    def task(self) -> Task:
        """What networks it measures."""

    @property
    def protocol(self) -> str:
        """Its name, as `--protocol` takes it."""

    @property
    def name(self) -> str:
        """As tables head it: "x4", "q10", "sigma 25"."""

    @property
    def baseline(self) -> str:
        """What doing nothing is called: "bicubic", "jpeg"."""

    @property
    def gray(self) -> bool:
        """Whether colour pictures are measured in one channel, and networks given one."""

    @property
    def scale(self) -> int:
        """Enlargement."""

    @property
    def condition(self) -> float | None:
        """Strength, for networks that are told."""

    @property
    def exact(self) -> bool:
        """Whether results are measured as floats instead of the 8 bits of a file."""

    def degrade(self, clean: Clean, seed: int) -> Case:
        """Make the case of one picture, a pure function of the picture and the seed."""

    def accept(self, clean: Clean, given: Clean) -> Case:
        """The case of a picture that somebody else degraded; ImageError if the sizes do not match."""

    def measure(self, result: Levels, reference: Clean) -> Metrics:
        """Compare a result with the reference."""


def label(setting: Setting) -> str:
    """The protocol's name and what else decides the figures: "matlab-y", "matlab-y replicate"."""
    edges = getattr(setting, "edges", "mirror")
    by_matlab = setting.protocol not in ("pil-y", "opencv-y")
    return f"{setting.protocol} {edges}" if by_matlab and edges != "mirror" else setting.protocol


def ready(reference: Clean, given: Clean) -> Case:
    """The case whose baseline is the degraded picture itself; ImageError if it has another size."""
    if given.shape[:2] != reference.shape[:2]:
        sizes = [f"{x.shape[1]}x{x.shape[0]}" for x in (given, reference)]
        raise ImageError(f"the input is {sizes[0]} and the reference {sizes[1]}; they must be alike")
    given = alike(given, reference)
    return Case(given, reference, given)


def alike(given: Clean, reference: Clean) -> Clean:
    """`given` with the reference's channels, since gray pictures are often stored as RGB.

    ImageError if only one of them has colour.
    """
    if given.shape[2] == reference.shape[2]:
        return given
    if np.ptp(reference if given.shape[2] == 1 else given, axis=2).any():
        kinds = ("gray", "colour") if given.shape[2] == 1 else ("colour", "gray")
        raise ImageError(f"the input is {kinds[0]} and the reference {kinds[1]}; give both in one kind")
    return given[..., :1] if reference.shape[2] == 1 else given.repeat(3, axis=2)


def luma_alike(given: Clean, clean: Clean) -> Clean:
    """The 8-bit luma of `given`, where one channel beside a clean colour picture is luma already."""
    if clean.shape[2] == 1:
        return alike(given, clean)
    return rounded_luma(given)


def to_levels(x: NDArray[np.floating]) -> Clean:
    """Bring floats in [0, 1] to 8 bits, as a file would hold them: rounded half up, clipped."""
    return np.asarray(from_float(x, np.uint8), dtype=np.uint8)


def plain(result: Levels, reference: Clean) -> Metrics:
    """PSNR and SSIM on all channels of the whole picture."""
    return {"psnr": psnr(result, reference), "ssim": ssim(result, reference)}


def luma(x: Levels) -> NDArray[Any]:
    """(H, W, 1) luma on the 0..255 scale, not rounded; one channel is its own."""
    return x if x.shape[2] == 1 else rgb_to_y(x.astype(np.float64) / 255) * 255


def rounded_luma(x: Clean) -> Clean:
    """(H, W, 1) luma rounded to 8 bits, as MATLAB's rgb2ycbcr gives it for 8-bit pictures."""
    return x if x.shape[2] == 1 else to_levels(luma(x) / 255)
