"""What a task is: one row for each.  No other module asks which task it is dealing with."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Task = Literal["sr", "dejpeg", "denoise", "deblur", "demosaic"]
ConditionKind = Literal["sigma", "quality"]
"""Standard deviation of noise on the 0..255 scale, or JPEG quality."""
CONDITION_RANGES: dict[ConditionKind, tuple[float, float]] = {"sigma": (0.0, 255.0), "quality": (1.0, 100.0)}
"""Smallest and largest value; a network is given the value divided by the largest."""
UNDAMAGED: dict[ConditionKind, float] = {"sigma": 0.0}
"""The value that says that nothing has to be mended; such a picture comes out as it went in."""


@dataclass(frozen=True)
class Changes:
    """How far an honest result of a task may be from its input; see `engine.check`."""

    drift: float
    """Of means over 32 pixels; the full range is 1."""
    spot: float
    """Of a block of 4x4 pixels beyond the input's range around it."""
    roughness: float
    """Of fine structure, times as much as the input has; mosaics have none of their own."""
    reach: int = 8
    """Pixels of the input that count as around."""


@dataclass(frozen=True, kw_only=True)
class TaskSpec:
    """What distinguishes a task from the others."""

    name: Task
    enlarges: bool = False
    """Whether the result is larger than the input.  A pixel of the result's border for each unit of the
    factor is then left out of measurements, and doing nothing means enlarging by bicubic."""
    condition: ConditionKind | None = None
    """What can be said of the damage, if anything: a flag of that name takes it, and a network that has been
    trained with it is told."""
    luma: bool = False
    """Whether luma is what counts, as in all papers of the task: results are measured on it, and a network
    for one channel is given the luma of a colour picture, while chroma is only resized.  Else every channel
    counts, and a network for one channel restores them one by one."""
    blocking: bool = False
    """Whether PSNR-B is measured beside PSNR and SSIM."""
    mosaic: bool = False
    """Whether inputs are Bayer mosaics, to be brought into the pattern that networks know; doing nothing
    means bilinear interpolation."""
    looks_for: Literal["noise", "blur"] | None = None
    """What a picture is looked at for where the user names neither weights nor condition; one without it
    comes out as it went in."""
    deconvolves: bool = False
    """Whether, where the user names no weights, a blur that is the same all over the picture is looked for
    and undone with the default denoiser; see `engine.deconvolution`."""
    may_harm: bool = False
    """Whether a network that mistakes the damage makes pictures worse, in ways that show."""
    changes: Changes
    """What goes beyond is refused as spoilt: about twice what honest results were seen to do, or more where
    dithers and pixel art go further than photographs."""
    format: str = "png"
    """Of outputs, where the user names none."""


# Changes: the most that `benchmarks/guard.py` saw of shipped weights on 114 pictures (Set14, LIVE1,
# Classic5, a quarter of BSD100, examples, odd files): quality 5 to 40, sigma 15 to 75,
# camera noise, three kinds of blur.
#              drift   spot   roughness
#   sr         0.018   0.179  1.32
#   dejpeg     0.050   0.088  1.06
#   denoise    0.134   0.179  1.02   (clipped noise brightens dark places, and its removal darkens them)
#   deblur     0.091   0.303  1.75   (drift by weights for shakes, on the white of slides)
#   demosaic   0.077   0.270  1.41
# Ordered dithers reach a drift of 0.05 in sr and 0.10 in dejpeg, pixel art a roughness of 2.1 in sr and 1.9
# in dejpeg, whose blocks are gone.
TASKS: dict[Task, TaskSpec] = {
    spec.name: spec
    for spec in (
        TaskSpec(name="sr", enlarges=True, luma=True, changes=Changes(0.07, 0.3, 2.3, reach=3)),
        TaskSpec(
            name="dejpeg", condition="quality", luma=True, blocking=True, changes=Changes(0.11, 0.15, 2.2)
        ),
        TaskSpec(name="denoise", condition="sigma", looks_for="noise", changes=Changes(0.18, 0.25, 2)),
        TaskSpec(
            name="deblur", looks_for="blur", deconvolves=True, may_harm=True, changes=Changes(0.14, 0.4, 2.5)
        ),
        TaskSpec(name="demosaic", mosaic=True, changes=Changes(0.14, 0.4, math.inf)),
    )
}
