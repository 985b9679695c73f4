"""What a test set is, and where sets are found: under the data root, in any folder, and in the package."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import enhance_cli
from enhance_cli.bench.datasets.known import BUILTIN, KNOWN_SETS, canonical
from enhance_cli.bench.datasets.layouts import (
    Pictures,
    first_of,
    folders,
    match,
    pictures_in,
    read_folder,
)
from enhance_cli.errors import UsageError
from enhance_cli.imaging.files import read
from enhance_cli.metrics.pairing import bare

if TYPE_CHECKING:
    from enhance_cli.arch.contract import Task

ENVIRONMENT = "ENHANCE_DATA"
ADVICE = f"give --data-root DIR or set {ENVIRONMENT}=DIR, where DIR holds folders such as Set5/ with pictures"
PARENTS = ("test", "benchmark", "DIV2K")
"""Folders in the data root that hold sets, and are none."""


@dataclass(frozen=True)
class Dataset:
    """One test set found on disk."""

    name: str
    images: tuple[Path, ...]
    """Clean pictures in the order of their names."""
    inputs: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)
    """Ready-made degraded pictures by name ("x4", "x4 real", "paired"), one for each of `images`."""
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
        return KNOWN_SETS[self.name].tasks if self.name in KNOWN_SETS else ()

    @property
    def protocol(self) -> str | None:
        """By which it is measured for its tasks, if not by the usual one."""
        return KNOWN_SETS[self.name].protocol if self.name in KNOWN_SETS else None

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


def usual_root(given: Path | None) -> Path:
    """The folder of test sets, whether it is there or not: `given`, else $ENHANCE_DATA, else the user's."""
    if given is not None:
        return given
    if named := os.environ.get(ENVIRONMENT):
        return Path(named)
    user_data = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(user_data).expanduser() / "enhance" / "datasets"


def data_root(given: Path | None, *, needed: bool = True) -> Path | None:
    """`usual_root`, or None where nobody named one and the user has none.

    Raises UsageError when the one that was named is not a folder, saying how to set it; one that is not
    `needed` may be missing where only $ENHANCE_DATA names it.
    """
    root = usual_root(given)
    if root.is_dir():
        return root
    if given is None and not (needed and os.environ.get(ENVIRONMENT)):
        return None
    raise UsageError(f"no folder of test sets at {root}: {ADVICE}")


def needs_root(names: Sequence[str]) -> bool:
    """Whether `choose` cannot do without a root: for all sets, and for names that are no folders."""
    return not names or not all(
        _is_path(name) or canonical(name).lower() == BUILTIN.lower() or Path(name).is_dir() for name in names
    )


def choose(names: Sequence[str], root: Path | None, *, limit: int | None = None) -> tuple[Dataset, ...]:
    """The sets of these names (in any case, or an alias) under `root`, or all without names.

    A name may be the path of any folder of pictures. Without names and without a root it is the built-in set.
    `limit` keeps the first pictures of each. Raises UsageError naming the sets that are there.
    """
    only_paths = bool(names) and all(map(_is_path, names))
    found = found_in(root) if root and not only_paths else ()
    if names:
        chosen = tuple(_named(name, found, root) for name in names)
    elif root and not found:
        raise UsageError(f"no test sets in {root}: it must hold folders such as Set5/ with pictures")
    else:
        chosen = found or (builtin(),)
    return tuple(dataset.first(limit) for dataset in chosen)


def _named(name: str, found: Sequence[Dataset], root: Path | None) -> Dataset:
    by_name = {dataset.name.lower(): dataset for dataset in found}
    key = canonical(name).lower()
    is_path = _is_path(name)
    if not is_path and key in by_name:
        return by_name[key]
    if not is_path and key == BUILTIN.lower():
        return builtin()
    if is_path or Path(name).is_dir():
        return at(Path(name))
    if root is None:
        raise UsageError(f"no test set {name!r}: {ADVICE}")
    there = ", ".join(dataset.name for dataset in found) or "none"
    raise UsageError(f"no test set {name!r} with pictures in {root}; there: {there}")


def _is_path(name: str) -> bool:
    return os.sep in name or (os.altsep or os.sep) in name


def at(folder: Path) -> Dataset:
    """The set in that folder, named after it. UsageError where there is none."""
    if not folder.is_dir():
        raise UsageError(f"no folder {folder}; --dataset takes a test set's name or a folder of pictures")
    dataset = _read(folder)
    if dataset is None:
        raise UsageError(
            f"no pictures in {folder}, nor in its HR/, GTmod12/, image_SRF_4/, "
            "noisy/ and clean/ or blur/ and sharp/"
        )
    return dataset


def found_in(root: Path) -> tuple[Dataset, ...]:
    """Every set under `root` and its `PARENTS`: the known ones in their order, then the others."""
    sets: dict[str, Dataset] = {}
    inside = folders(root)
    candidates = [folder for folder in inside if folder.name not in PARENTS]
    for parent in PARENTS:
        if root / parent in inside:
            # DIV2K holds training pictures as well.
            every = parent != "DIV2K"
            candidates += [
                one for one in folders(root / parent) if every or canonical(one.name) in KNOWN_SETS
            ]
    for folder in candidates:
        if canonical(folder.name) not in sets and (dataset := _read(folder)):
            sets[dataset.name] = dataset
    order = [*KNOWN_SETS, *sorted(sets.keys() - KNOWN_SETS.keys())]
    return tuple(sets[name] for name in order if name in sets)


@cache
def builtin() -> Dataset:
    """The free pictures that travel with the package: inside it, or in examples/ of a checkout.

    Raises UsageError where somebody took them away.
    """
    package = Path(enhance_cli.__file__).resolve().parent
    places = (package / "builtin", package.parent / "examples" / "reference")
    folder = next((place for place in places if place.is_dir()), places[0])
    dataset = _read(folder, BUILTIN) if folder.is_dir() else None
    if dataset is None:
        raise UsageError(f"the built-in pictures are not at {folder}; reinstall the package")
    return dataset


def _read(folder: Path, name: str | None = None) -> Dataset | None:
    content = read_folder(folder)
    if content is None:
        return None
    name = canonical(name or folder.resolve().name)
    known = KNOWN_SETS.get(name)
    lacks = known and known.images and _lacks(known.images, known.namings, content)
    problems = [f"{name} in {folder}: {problem}" for problem in (lacks, *content.problems) if problem]
    return Dataset(
        name=name,
        images=tuple(content.images.values()),
        inputs=content.inputs,
        folder=folder,
        expected=known.images if known else None,
        complete=not lacks if known and known.images else None,
        problem="; ".join(problems) or None,
    )


def _lacks(n_images: int, namings: Sequence[Sequence[str]], content: Pictures) -> str | None:
    """How the pictures differ from those of the set: which, where most are named as it is known to be."""
    there = {bare(name).lower(): bare(name) for name in content.images}
    count = len(content.images)
    naming = max(namings, key=lambda names: len({*names} & there.keys()), default=())
    missing = [name for name in naming if name not in there]
    extra = [name for key, name in there.items() if key not in naming]
    told = [f"{count} pictures where {n_images} belong"] if count != n_images else []
    if 2 * (len(naming) - len(missing)) > min(count, n_images):
        told += [f"missing: {first_of(missing)}"] if missing else []
        told += [f"not of it: {first_of(extra)}"] if extra else []
    return "; ".join(told) or None


def pairs(
    input_dir: Path, reference_dir: Path, settings: Sequence[str], *, limit: int | None = None
) -> Dataset:
    """The set of two folders: one of degraded pictures, for each of `settings` ("x4"), and one of clean ones.

    Files pair by their path without suffix, or without marks such as x2, _LR and _HR as well. The set is
    called like the folder of references. Raises UsageError naming the first files that have no partner.
    """
    sides = {}
    for flag, folder in (("--input", input_dir), ("--reference", reference_dir)):
        if not folder.is_dir():
            raise UsageError(f"{flag} {folder} is not a folder")
        sides[flag] = pictures_in(folder, deep=True)
        if not sides[flag]:
            raise UsageError(f"{flag} {folder} holds no pictures")
    clean = sides["--reference"]
    found = match(clean, sides["--input"])
    if found.missing:
        raise UsageError(f"--input {input_dir} has nothing for {first_of(found.missing)} of {reference_dir}")
    if found.extra:
        raise UsageError(
            f"--reference {reference_dir} has nothing for {first_of(found.extra)} of {input_dir}"
        )
    return Dataset(
        name=reference_dir.resolve().name,
        images=tuple(clean.values()),
        inputs=dict.fromkeys(settings, found.inputs),
        folder=reference_dir,
        paired=True,
    ).first(limit)
