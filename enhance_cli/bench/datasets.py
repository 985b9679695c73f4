"""Test sets: where they lie, what they are called and what they are measured for."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from enhance_cli.errors import UsageError
from enhance_cli.imaging.files import IMAGE_SUFFIXES, read

if TYPE_CHECKING:
    from enhance_cli.arch.contract import Task

ENVIRONMENT = "ENHANCE_DATA"

KNOWN: dict[str, tuple[Task, ...]] = {
    "Set5": ("sr",),
    "Set14": ("sr", "deblur"),
    "BSD100": ("sr",),
    "Classic5": ("dejpeg",),
    "LIVE1": ("dejpeg",),
    "Set12": ("denoise",),
    "BSD68": ("denoise",),
    "CBSD68": ("denoise", "demosaic"),
}
"""The sets of the literature: the task each is measured for, then tasks for which it is taken when
only the task is named."""


@dataclass(frozen=True)
class Dataset:
    """One test set found on disk."""

    name: str
    images: tuple[Path, ...]
    """Clean pictures in the order of their names."""
    inputs: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)
    """Ready-made degraded pictures by the name of their setting ("x4"), one for each of `images`."""

    @property
    def tasks(self) -> tuple[Task, ...]:
        """What it is measured for, the usual task first; empty for a set that is not in the literature."""
        return KNOWN.get(self.name, ())

    @cached_property
    def gray(self) -> bool:
        """Sets are of one kind, but for a stray gray picture among colour ones (Set14)."""
        return read(self.images[0]).gray


def data_root(given: Path | None) -> Path:
    """The folder of test sets: `given`, else $ENHANCE_DATA, else the user's data folder.

    Raises UsageError when it is not a folder, saying how to set it.
    """
    root = given or _configured_root()
    if not root.is_dir():
        raise UsageError(
            f"no folder of test sets at {root}: give --data-root DIR or set {ENVIRONMENT}=DIR, "
            "where DIR holds folders such as Set5/ with pictures"
        )
    return root


def _configured_root() -> Path:
    if named := os.environ.get(ENVIRONMENT):
        return Path(named)
    user_data = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(user_data).expanduser() / "enhance" / "datasets"


def choose(names: Sequence[str], root: Path, *, limit: int | None = None) -> tuple[Dataset, ...]:
    """The sets of these names (upper or lower case) under `root` or `root/test`, or all without names.

    `limit` keeps the first pictures of each. Raises UsageError naming the sets that are there.
    """
    found = found_in(root, limit=limit)
    by_name = {dataset.name.lower(): dataset for dataset in found}
    there = ", ".join(dataset.name for dataset in found) or "none"
    for name in names:
        if name.lower() not in by_name:
            raise UsageError(f"no test set {name!r} with pictures in {root}; there: {there}")
    if not found:
        raise UsageError(f"no test sets in {root}: it must hold folders such as Set5/ with pictures")
    return tuple(by_name[name.lower()] for name in names) or found


def found_in(root: Path, *, limit: int | None = None) -> tuple[Dataset, ...]:
    """Every set under `root` and `root/test`: the known ones in the order of `KNOWN`, then the others."""
    sets: dict[str, Dataset] = {}
    for folder in _folders(root):
        name = _canonical(folder.name)
        if name not in sets and (images := _images(folder)):
            sets[name] = Dataset(name, images[:limit])
    order = [*KNOWN, *sorted(sets.keys() - KNOWN.keys())]
    return tuple(sets[name] for name in order if name in sets)


def _folders(root: Path) -> Iterator[Path]:
    for parent in (root, root / "test"):
        if parent.is_dir():
            yield from sorted(path for path in parent.iterdir() if path.is_dir())


def _canonical(name: str) -> str:
    return next((known for known in KNOWN if known.lower() == name.lower()), name)


def _images(folder: Path) -> tuple[Path, ...]:
    """The pictures in `folder`, or in its HR/ where it has none itself."""
    for place in (folder, folder / "HR"):
        if place.is_dir():
            images = sorted(path for path in place.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)
            if images:
                return tuple(images)
    return ()
