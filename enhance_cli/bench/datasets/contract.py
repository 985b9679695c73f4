"""What a test set is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from enhance_cli.bench.datasets.known import KNOWN
from enhance_cli.imaging.files import read

if TYPE_CHECKING:
    from enhance_cli.arch.contract import Task

MOST_NAMED = 3


@dataclass(frozen=True)
class Dataset:
    """One test set found on disk."""

    name: str
    images: tuple[Path, ...]
    """Clean pictures in the order of their names."""
    inputs: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)
    """Ready-made degraded pictures by the name of their setting ("x4"), one for each of `images`."""
    folder: Path | None = None
    """Where it was found."""
    expected: int | None = None
    """How many pictures it should have; None where that is not known."""
    complete: bool | None = None
    """Whether it has them all and no others; None where that is not known."""
    problem: str | None = None
    """What is missing or left out, in one line."""
    paired: bool = False
    """Whether the user named the inputs' folder: then they are measured, whatever the protocol."""
    cut: bool = False
    """Whether only the first pictures were asked for."""

    @property
    def tasks(self) -> tuple[Task, ...]:
        """What it is measured for, the usual task first; empty for a set that is not in the literature."""
        return KNOWN[self.name].tasks if self.name in KNOWN else ()

    @cached_property
    def gray(self) -> bool:
        """Sets are of one kind, but for a stray gray picture among colour ones (Set14)."""
        return read(self.images[0]).gray

    def name_of(self, image: Path) -> str:
        """File name, or the path within the set where several files have that name."""
        if self.folder is None or sum(one.name == image.name for one in self.images) == 1:
            return image.name
        return image.relative_to(self.folder).as_posix() if image.is_relative_to(self.folder) else str(image)

    def first(self, limit: int | None) -> Dataset:
        """The first `limit` pictures and their inputs; all of them for None."""
        if limit is None or limit >= len(self.images):
            return self
        inputs = {name: paths[:limit] for name, paths in self.inputs.items()}
        return replace(self, images=self.images[:limit], inputs=inputs, cut=True)


def some(names: Sequence[str]) -> str:
    """The first of these names, and how many there are besides: "a, b, c and 4 more"."""
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more
