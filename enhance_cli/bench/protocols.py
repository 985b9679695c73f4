"""How a clean picture is degraded and how the restored one is measured: the papers' protocols.

A setting is one column of a paper's table ("x4", "q10"). `degrade` makes the case of one picture, a pure
function of the clean picture and a seed; `measure` compares a result with the reference. Arrays are
(H, W, C) on the 0..255 scale, C = 1 (gray) or 3 (RGB), each picture as it is stored.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from enhance_cli.arch.contract import Task
from enhance_cli.degrade.bicubic import modcrop, shrink
from enhance_cli.degrade.blur import blur, motion_kernel
from enhance_cli.degrade.jpeg import compress
from enhance_cli.degrade.noise import add_noise
from enhance_cli.errors import UsageError
from enhance_cli.imaging.colour import from_float, rgb_to_y, to_float
from enhance_cli.imaging.mosaic import NETWORKS, interpolated, thinned
from enhance_cli.imaging.resize import imresize
from enhance_cli.metrics.psnr import psnr
from enhance_cli.metrics.psnrb import psnrb
from enhance_cli.metrics.ssim import ssim

Clean = NDArray[np.uint8]
Levels = NDArray[np.uint8] | NDArray[np.float32]
Metrics = dict[str, float]
"""PSNR in dB and SSIM by name: psnr, ssim, psnr_b, psnr_y, ssim_y."""


@dataclass(frozen=True)
class Case:
    """One degraded picture."""

    given: Levels
    """What the network gets: uint8, or float32 where a file's 8 bits would spoil it (noise)."""
    reference: Clean
    """What its result is compared with."""
    baseline: Levels
    """The answer of doing nothing, of the reference's size."""


@dataclass(frozen=True)
class SuperResolution:
    """MATLAB bicubic shrinking of the RGB picture; PSNR and SSIM on Y, `scale` border pixels shaved.

    A gray picture is its own luma, without studio range, as in the papers.
    """

    task: ClassVar[Task] = "sr"
    baseline: ClassVar[str] = "bicubic"
    gray: ClassVar[bool] = False
    condition: ClassVar[None] = None
    scale: int

    @property
    def name(self) -> str:
        """As tables head it, "x4"."""
        return f"x{self.scale}"

    def degrade(self, clean: Clean, seed: int) -> Case:
        """Crop to a multiple of the scale and shrink; the baseline is the small picture enlarged.

        Like a network's result it is rounded to 8 bits once, at the end: so it gives the 33.68 dB (Set5
        x2) of the literature, where rounding after each pass gives 33.67.
        """
        reference = modcrop(clean, self.scale)
        small = shrink(reference, self.scale)
        large = imresize(to_float(small), reference.shape[:2], scale=float(self.scale))
        return Case(small, reference, to_levels(large))

    def measure(self, result: Levels, reference: Clean) -> Metrics:
        """Compare (H, W, C) with the reference on Y."""
        a, b = (_luma(x)[self.scale : -self.scale, self.scale : -self.scale] for x in (result, reference))
        return {"psnr_y": psnr(a, b), "ssim_y": ssim(a, b)}


@dataclass(frozen=True)
class JpegLuma:
    """libjpeg on the gray picture or on a colour picture's Y (rounded to 8 bits); nothing shaved."""

    task: ClassVar[Task] = "dejpeg"
    baseline: ClassVar[str] = "jpeg"
    gray: ClassVar[bool] = True
    scale: ClassVar[int] = 1
    quality: int

    @property
    def name(self) -> str:
        """As tables head it, "q10"."""
        return f"q{self.quality}"

    @property
    def condition(self) -> float:
        """The quality, for networks that are told."""
        return float(self.quality)

    def degrade(self, clean: Clean, seed: int) -> Case:
        """Encode the luma as a gray JPEG."""
        reference = clean if clean.shape[2] == 1 else to_levels(_luma(clean) / 255)
        coded = compress(reference, self.quality)
        return Case(coded, reference, coded)

    def measure(self, result: Levels, reference: Clean) -> Metrics:
        """Compare (H, W, 1) with the reference."""
        return {**_plain(result, reference), "psnr_b": psnrb(reference, result)}


@dataclass(frozen=True)
class JpegColour:
    """libjpeg on the RGB picture, chroma halved (4:2:0); PSNR and SSIM on RGB, nothing shaved."""

    task: ClassVar[Task] = "dejpeg"
    baseline: ClassVar[str] = "jpeg"
    gray: ClassVar[bool] = False
    scale: ClassVar[int] = 1
    quality: int

    @property
    def name(self) -> str:
        """As the table heads it, "q10 rgb"."""
        return f"q{self.quality} rgb"

    @property
    def condition(self) -> float:
        """The quality, for networks that are told."""
        return float(self.quality)

    def degrade(self, clean: Clean, seed: int) -> Case:
        """Encode the picture as it is."""
        coded = compress(clean, self.quality)
        return Case(coded, clean, coded)

    def measure(self, result: Levels, reference: Clean) -> Metrics:
        """Compare (H, W, C) with the reference on all channels."""
        return _plain(result, reference)


@dataclass(frozen=True)
class Noise:
    """White Gaussian noise, seeded per picture, neither clipped nor rounded; measured on 8-bit results.

    The baseline is the noisy picture as the network gets it, not clipped: 20.17 dB at sigma 25.
    """

    task: ClassVar[Task] = "denoise"
    baseline: ClassVar[str] = "noisy"
    gray: ClassVar[bool] = False
    scale: ClassVar[int] = 1
    sigma: float

    @property
    def name(self) -> str:
        """As tables head it, "sigma 25"."""
        return f"sigma {self.sigma:g}"

    @property
    def condition(self) -> float:
        """The noise level, for networks that are told."""
        return self.sigma

    def degrade(self, clean: Clean, seed: int) -> Case:
        """Add the noise that `seed` gives."""
        noisy = add_noise(clean, self.sigma, seed)
        return Case(noisy, clean, noisy)

    def measure(self, result: Levels, reference: Clean) -> Metrics:
        """Compare (H, W, C) with the reference on all channels."""
        return _plain(result, reference)


@dataclass(frozen=True)
class MotionBlur:
    """Blur by a random camera path, seeded per picture, rounded to 8 bits; measured on all channels."""

    task: ClassVar[Task] = "deblur"
    baseline: ClassVar[str] = "blurred"
    gray: ClassVar[bool] = False
    scale: ClassVar[int] = 1
    condition: ClassVar[None] = None
    name: ClassVar[str] = "motion"

    def degrade(self, clean: Clean, seed: int) -> Case:
        """Blur with the kernel that `seed` gives."""
        blurred = blur(clean, motion_kernel(seed))
        return Case(blurred, clean, blurred)

    def measure(self, result: Levels, reference: Clean) -> Metrics:
        """Compare (H, W, C) with the reference on all channels."""
        return _plain(result, reference)


@dataclass(frozen=True)
class Mosaic:
    """The Bayer mosaic, G R above B G as RNAN's authors have it; PSNR and SSIM on RGB, nothing shaved."""

    task: ClassVar[Task] = "demosaic"
    baseline: ClassVar[str] = "bilinear"
    gray: ClassVar[bool] = False
    scale: ClassVar[int] = 1
    condition: ClassVar[None] = None
    name: ClassVar[str] = "bayer"

    def degrade(self, clean: Clean, seed: int) -> Case:
        """Keep one colour per pixel."""
        colour = clean.repeat(3 // clean.shape[2], axis=2)
        given = thinned(colour, NETWORKS)
        return Case(given, colour, np.asarray(interpolated(given), np.uint8))

    def measure(self, result: Levels, reference: Clean) -> Metrics:
        """Compare (H, W, 3) with the reference on all channels."""
        return _plain(result, reference)


Setting = SuperResolution | JpegLuma | JpegColour | Noise | MotionBlur | Mosaic


@dataclass(frozen=True, kw_only=True)
class Values:
    """Settings asked for; empty means the papers' usual ones."""

    scales: tuple[int, ...] = ()
    qualities: tuple[int, ...] = ()
    sigmas: tuple[float, ...] = ()
    colour: bool = False
    """JPEG on the RGB picture instead of on its luma."""

    def __post_init__(self) -> None:
        _check("--scale", self.scales, 2, 8)
        _check("--quality", self.qualities, 1, 100)
        _check("--sigma", self.sigmas, 1, 255)

    @property
    def tasks(self) -> set[Task]:
        """The tasks to which the values belong that were asked for."""
        asked: dict[Task, bool] = {
            "sr": bool(self.scales),
            "dejpeg": bool(self.qualities) or self.colour,
            "denoise": bool(self.sigmas),
        }
        return {task for task, is_asked in asked.items() if is_asked}


def settings(task: Task, values: Values) -> tuple[Setting, ...]:
    """The settings of one task, in the order of the tables."""
    if task == "sr":
        return tuple(SuperResolution(scale) for scale in values.scales or (2, 3, 4))
    if task == "dejpeg":
        kind = JpegColour if values.colour else JpegLuma
        return tuple(kind(quality) for quality in values.qualities or (10, 20, 30, 40))
    if task == "denoise":
        return tuple(Noise(sigma) for sigma in values.sigmas or (15.0, 25.0, 50.0))
    return (MotionBlur(),) if task == "deblur" else (Mosaic(),)


def to_levels(x: NDArray[np.floating]) -> Clean:
    """Bring floats in [0, 1] to 8 bits, as a file would hold them: rounded half up, clipped."""
    return np.asarray(from_float(x, np.uint8), dtype=np.uint8)


def _check(flag: str, values: tuple[float, ...], low: int, high: int) -> None:
    for value in values:
        if not low <= value <= high:
            raise UsageError(f"{flag} {value:g} is out of range: {low} to {high}")


def _plain(result: Levels, reference: Clean) -> Metrics:
    return {"psnr": psnr(result, reference), "ssim": ssim(result, reference)}


def _luma(x: Levels) -> NDArray[Any]:
    """(H, W, 1) luma on the 0..255 scale, not rounded; a gray picture is its own."""
    return x if x.shape[2] == 1 else rgb_to_y(x.astype(np.float64) / 255) * 255
