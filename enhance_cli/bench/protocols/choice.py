"""Which settings are measured: those asked for, or the papers' usual ones."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import cast

from enhance_cli.arch.contract import Task
from enhance_cli.bench.protocols import sr
from enhance_cli.bench.protocols.blur import MotionBlur
from enhance_cli.bench.protocols.clean import Undamaged
from enhance_cli.bench.protocols.contract import Setting
from enhance_cli.bench.protocols.jpeg import JpegColour, JpegLuma
from enhance_cli.bench.protocols.levin import levin_settings
from enhance_cli.bench.protocols.mosaic import Mosaic
from enhance_cli.bench.protocols.noise import Noise
from enhance_cli.bench.protocols.photo import PhotoJpeg, PhotoSr
from enhance_cli.bench.protocols.sr import SrProtocol, SuperResolution
from enhance_cli.degrade.photo import MOST_SCALE
from enhance_cli.errors import UsageError
from enhance_cli.imaging.resize import Edges

TASKS: dict[str, tuple[Task, ...]] = {
    **dict.fromkeys(sr.PROTOCOLS, ("sr",)),
    "photo": ("sr",),
    "jpeg-y": ("dejpeg",),
    "jpeg-rgb": ("dejpeg",),
    "jpeg-photo": ("dejpeg",),
    "awgn": ("denoise",),
    "awgn-8bit": ("denoise",),
    "motion": ("deblur",),
    "levin": ("deblur",),
    "bayer": ("demosaic",),
    "clean": ("dejpeg", "denoise", "deblur"),
}
"""Every protocol and what it measures; the first of a task is the usual one."""


SCALES, QUALITIES, SIGMAS = (2, 3, 4), (10, 20, 30, 40), (15.0, 25.0, 50.0)
"""Of the papers' tables."""


@dataclass(frozen=True, kw_only=True)
class Values:
    """Settings asked for; empty means the papers' usual ones."""

    protocol: str | None = None
    """Key of TASKS."""
    edges: Edges = "mirror"
    """What MATLAB's imresize sees outside a picture that is shrunk."""
    scales: tuple[int, ...] = ()
    qualities: tuple[int, ...] = ()
    sigmas: tuple[float, ...] = ()
    kernels: Path | None = None
    """Folder of test sets, under which "levin" finds its kernels."""

    def __post_init__(self) -> None:
        for name in ("scales", "qualities", "sigmas"):
            # Asked for twice is measured once.
            object.__setattr__(self, name, tuple(dict.fromkeys(getattr(self, name))))
        _check("--scale", self.scales, 2, 8)
        _check("--quality", self.qualities, 1, 100)
        _check("--sigma", self.sigmas, 1, 255)
        if self.protocol not in (None, *TASKS):
            raise UsageError(f"--protocol {self.protocol} is unknown; known: {', '.join(TASKS)}")
        if self.protocol == "clean" and (self.scales or self.qualities or self.sigmas):
            raise UsageError("--protocol clean damages nothing; leave out --scale, --quality and --sigma")

    @property
    def tasks(self) -> set[Task]:
        """The tasks to which the values belong that were asked for."""
        asked: dict[Task, bool] = {
            "sr": bool(self.scales),
            "dejpeg": bool(self.qualities),
            "denoise": bool(self.sigmas),
        }
        named = set(TASKS[self.protocol]) if self.protocol else set()
        return named | {task for task, is_asked in asked.items() if is_asked}


def settings(task: Task, values: Values) -> tuple[Setting, ...]:
    """The settings of one task, in the order of the tables; UsageError if a file they need is missing."""
    protocol = values.protocol if values.protocol and task in TASKS[values.protocol] else usual(task)
    match protocol:
        case "jpeg-y":
            return tuple(JpegLuma(quality) for quality in values.qualities or QUALITIES)
        case "jpeg-rgb":
            return tuple(JpegColour(quality) for quality in values.qualities or QUALITIES)
        case "jpeg-photo":
            return tuple(PhotoJpeg(quality) for quality in values.qualities or QUALITIES)
        case "photo":
            for scale in values.scales:
                if scale > MOST_SCALE:
                    raise UsageError(f"--protocol photo takes --scale 2 to {MOST_SCALE}, not {scale}")
            return tuple(PhotoSr(scale) for scale in values.scales or SCALES)
        case "awgn" | "awgn-8bit":
            return tuple(Noise(sigma, protocol) for sigma in values.sigmas or SIGMAS)
        case "motion":
            return (MotionBlur(),)
        case "levin":
            if values.kernels is None:
                raise UsageError("--protocol levin needs the folder of its kernels; give --data-root")
            return levin_settings(values.kernels)
        case "bayer":
            return (Mosaic(),)
        case "clean":
            return (Undamaged(task),)
    name = cast(SrProtocol, protocol)
    return tuple(SuperResolution(scale, name, values.edges) for scale in values.scales or SCALES)


def usual(task: Task) -> str:
    """The protocol by which the papers measure a task."""
    return next(name for name, measured in TASKS.items() if task in measured)


def _check(flag: str, values: tuple[float, ...], low: int, high: int) -> None:
    for value in values:
        if not low <= value <= high:
            raise UsageError(f"{flag} {value:g} is out of range: {low} to {high}")
