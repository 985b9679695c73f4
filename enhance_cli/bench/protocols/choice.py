"""Which settings are measured: those asked for, or the papers' usual ones.

A new protocol is a file beside this one with its Setting, and a line in PROTOCOLS.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from enhance_cli.arch.contract import Task
from enhance_cli.bench.protocols import sr
from enhance_cli.bench.protocols.blur import CameraShake, MotionBlur
from enhance_cli.bench.protocols.contract import Setting
from enhance_cli.bench.protocols.jpeg import Jpeg, JpegColour, JpegLuma, PhotoJpeg
from enhance_cli.bench.protocols.levin import levin_settings
from enhance_cli.bench.protocols.mosaic import Mosaic
from enhance_cli.bench.protocols.noise import CameraNoise, Noise
from enhance_cli.bench.protocols.real import RealPair, RealSr, Undamaged
from enhance_cli.bench.protocols.sr import PhotoSr, SuperResolution
from enhance_cli.degrade.photo import MOST_SCALE
from enhance_cli.errors import UsageError
from enhance_cli.imaging.resize import Edges
from enhance_cli.tasks import TASKS

SCALES, QUALITIES, SIGMAS = (2, 3, 4), (10, 20, 30, 40), (15.0, 25.0, 50.0)
"""Of the papers' tables."""


@dataclass(frozen=True, kw_only=True)
class Values:
    """Settings asked for; empty means the papers' usual ones."""

    protocol: str | None = None
    """Key of PROTOCOLS."""
    edges: Edges = "mirror"
    """What MATLAB's imresize sees outside a picture that is shrunk."""
    scales: tuple[int, ...] = ()
    qualities: tuple[int, ...] = ()
    sigmas: tuple[float, ...] = ()
    kernels: Path | None = None
    """Folder of test sets, under which "levin" finds its kernels."""

    def __post_init__(self) -> None:
        for name, low, high in (("scales", 2, 8), ("qualities", 1, 100), ("sigmas", 1, 255)):
            # Asked for twice is measured once.
            values = tuple(dict.fromkeys(getattr(self, name)))
            object.__setattr__(self, name, values)
            for value in values:
                if not low <= value <= high:
                    flag = {"scales": "--scale", "qualities": "--quality", "sigmas": "--sigma"}[name]
                    raise UsageError(f"{flag} {value:g} is out of range: {low} to {high}")
        if self.protocol not in (None, *PROTOCOLS):
            raise UsageError(f"--protocol {self.protocol} is unknown; known: {', '.join(PROTOCOLS)}")
        if self.protocol == "clean" and (self.scales or self.qualities or self.sigmas):
            raise UsageError("--protocol clean damages nothing; leave out --scale, --quality and --sigma")
        if self.protocol == "real" and (self.qualities or self.sigmas):
            raise UsageError("--protocol real takes pictures as they are; leave out --quality and --sigma")

    @property
    def tasks(self) -> set[Task]:
        """The tasks to which the values belong that were asked for; "real" leaves its task to the sets."""
        conditions = {"quality": self.qualities, "sigma": self.sigmas, None: ()}
        named = set(PROTOCOLS[self.protocol].tasks) if self.protocol and self.protocol != "real" else set()
        return named | {
            task
            for task, spec in TASKS.items()
            if (spec.enlarges and self.scales) or conditions[spec.condition]
        }


@dataclass(frozen=True)
class Protocol:
    """What a protocol measures, and its settings for the values asked for."""

    tasks: tuple[Task, ...]
    settings: Callable[[Task, Values], Sequence[Setting]]


def _sr(protocol: str, task: Task, values: Values) -> list[Setting]:
    return [SuperResolution(scale, protocol, values.edges) for scale in values.scales or SCALES]


def _photo(task: Task, values: Values) -> list[Setting]:
    for scale in values.scales:
        if scale > MOST_SCALE:
            raise UsageError(f"--protocol photo takes --scale 2 to {MOST_SCALE}, not {scale}")
    return [PhotoSr(scale) for scale in values.scales or SCALES]


def _jpeg(kind: type[Jpeg], task: Task, values: Values) -> list[Setting]:
    return [kind(quality) for quality in values.qualities or QUALITIES]


def _noise(protocol: str, task: Task, values: Values) -> list[Setting]:
    return [Noise(sigma, protocol) for sigma in values.sigmas or SIGMAS]


def _levin(task: Task, values: Values) -> Sequence[Setting]:
    if values.kernels is None:
        raise UsageError("--protocol levin needs the folder of its kernels; give --data-root")
    return levin_settings(values.kernels)


PROTOCOLS: dict[str, Protocol] = {
    **{name: Protocol(("sr",), partial(_sr, name)) for name in sr.PROTOCOLS},
    "photo": Protocol(("sr",), _photo),
    "jpeg-y": Protocol(("dejpeg",), partial(_jpeg, JpegLuma)),
    "jpeg-rgb": Protocol(("dejpeg",), partial(_jpeg, JpegColour)),
    "jpeg-photo": Protocol(("dejpeg",), partial(_jpeg, PhotoJpeg)),
    "awgn": Protocol(("denoise",), partial(_noise, "awgn")),
    "awgn-8bit": Protocol(("denoise",), partial(_noise, "awgn-8bit")),
    "camera-noise": Protocol(("denoise",), lambda task, values: [CameraNoise()]),
    "motion": Protocol(("deblur",), lambda task, values: [MotionBlur()]),
    "levin": Protocol(("deblur",), _levin),
    "shake": Protocol(("deblur",), lambda task, values: [CameraShake()]),
    "bayer": Protocol(("demosaic",), lambda task, values: [Mosaic()]),
    "clean": Protocol(("dejpeg", "denoise", "deblur"), lambda task, values: [Undamaged(task)]),
    "real": Protocol(
        ("sr", "denoise", "deblur"),
        lambda task, values: (
            [RealSr(scale) for scale in values.scales or SCALES] if TASKS[task].enlarges else [RealPair(task)]
        ),
    ),
}
"""By name; the first of a task is the usual one."""


def settings(task: Task, values: Values, of_set: str | None = None) -> tuple[Setting, ...]:
    """The settings of one task, in the order of the tables; raises UsageError if a file they need is missing.

    `of_set` is the protocol of a set that is not measured by the usual one; what is asked for goes first.
    """
    protocol = usual(task)
    if values.protocol and task in PROTOCOLS[values.protocol].tasks:
        protocol = values.protocol
    elif of_set and task in PROTOCOLS[of_set].tasks and not (values.qualities or values.sigmas):
        protocol = of_set
    return tuple(PROTOCOLS[protocol].settings(task, values))


def usual(task: Task) -> str:
    """The protocol by which the papers measure a task."""
    return next(name for name, protocol in PROTOCOLS.items() if task in protocol.tasks)
