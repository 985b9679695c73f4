"""The shipped weights, and how long `enhance` takes to restore a picture with them."""

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pictures
from child import REPO, Taken, enhance, python

REPEATS = 4
"""Pictures, of which the fastest counts."""
STRENGTHS = {"dejpeg": ("--quality", 10), "denoise": ("--sigma", 25)}
"""Told to weights that take one."""


@dataclass(frozen=True)
class Weights:
    """As `enhance models list --json` tells them."""

    name: str
    path: Path
    task: str
    scale: int
    colour: str
    conditioned: bool
    parameters: int


@dataclass(frozen=True)
class Speed:
    seconds: float
    """For a megapixel of the result, of the stage that restores."""
    backend: str


def shipped(name: str = "") -> list[Weights]:
    """Those whose names hold `name`."""
    told = python("-m", "enhance_cli", "models", "list", "--json").output
    found = [json.loads(line) for line in told.splitlines()]
    return [
        Weights(
            one["name"],
            REPO / "weights" / one["file"],
            one["task"],
            one["scale"],
            one["colour"],
            one["condition_range"] is not None,
            one["parameters"],
        )
        for one in found
        if name in one["name"]
    ]


def speed(
    weights: Weights,
    threads: int,
    *,
    megapixels: float = 0.3,
    gray: bool = False,
    scale: int = 1,
    repo: Path = REPO,
) -> Speed | None:
    """The best of several pictures, with the checkout at `repo`; None if that cannot do it.

    `megapixels`: of what goes into the network. `scale`: for weights that want an enlarged picture.
    """
    flags: tuple[object, ...] = STRENGTHS[weights.task] if weights.conditioned else ()
    if weights.task == "sr":
        flags = ("--scale", scale * weights.scale)
    if weights.task == "demosaic":
        # As files go, a mosaic is a gray picture.
        flags, gray = ("--pattern", "rggb"), True
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pictures.make(folder / "in", REPEATS, pictures.size_of(megapixels / scale**2), gray=gray)
        paths = (folder / "in", folder / "out")
        taken = enhance(
            weights.task, *flags, "--weights", weights.path, "--threads", threads, "--json", *paths, repo=repo
        )
    return None if taken.code else _speed(taken)


def _speed(taken: Taken) -> Speed:
    events = [json.loads(line) for line in taken.output.splitlines()]
    files = [event for event in events if event["event"] == "file"]
    width, height = files[0]["output_size"]
    seconds = min(event["seconds"]["restore"] for event in files)
    return Speed(seconds / (width * height / 1e6), files[0]["backend"])
