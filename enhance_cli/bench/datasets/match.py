"""Which files belong together: pictures in a folder, and inputs paired with references by name."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from enhance_cli.errors import UsageError
from enhance_cli.imaging.files import IMAGE_SUFFIXES

Named = Mapping[str, Path]
"""Pictures by their path relative to a folder, with "/" and without suffix, in the order of their names."""

_MARKS = re.compile(r"(?:[-_]?x[2348]|[-_](?:LR|HR|LRBI|SRF_[2348]))+$", re.IGNORECASE)
"""What file names say of the side they are on: babyx2, img_001_SRF_4_HR."""


@dataclass(frozen=True)
class Match:
    """The inputs of a set of references."""

    inputs: tuple[Path, ...]
    """One for each reference, as long as none is missing."""
    missing: tuple[str, ...]
    """References that have no input."""
    extra: tuple[str, ...]
    """Inputs that have no reference."""


def pictures(folder: Path, *, deep: bool = False) -> dict[str, Path]:
    """The pictures in `folder`, with `deep` below it as well; hidden ones stay out.

    Raises UsageError if it cannot be read.
    """
    found: dict[str, Path] = {}
    try:
        for path in sorted(folder.rglob("*") if deep else folder.iterdir()):
            relative = path.relative_to(folder)
            hidden = any(part.startswith(".") for part in relative.parts)
            if path.suffix.lower() in IMAGE_SUFFIXES and not hidden and path.is_file():
                stem = relative.with_suffix("").as_posix()
                # Two pictures of one stem (a.jpg, a.png) are two pictures.
                found[relative.as_posix() if stem in found else stem] = path
    except OSError as error:
        raise _unreadable(folder, error) from error
    return found


def folders(folder: Path) -> tuple[Path, ...]:
    """The folders in `folder`, by name; hidden ones stay out. UsageError if it cannot be read."""
    try:
        return tuple(
            sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
        )
    except OSError as error:
        raise _unreadable(folder, error) from error


def _unreadable(folder: Path, error: OSError) -> UsageError:
    return UsageError(f"cannot read folder {folder} ({error.strerror}); check the path")


def below(folder: Path, *names: str) -> Path | None:
    """The folder `folder/name/name`, in upper or lower case; None where there is none."""
    place: Path | None = folder
    for name in names:
        inside = folders(place) if place and place.is_dir() else ()
        place = next((one for one in inside if one.name.lower() == name.lower()), None)
    return place


def match(references: Named, given: Named) -> Match:
    """Pair by name: as the names are, or without marks such as x2, _LR, _HR where that pairs more."""
    tried = [_matched(references, given, key) for key in (str, bare)]
    return min(tried, key=lambda one: len(one.missing) + len(one.extra))


def bare(name: str) -> str:
    """The name without the marks of its side."""
    return _MARKS.sub("", name)


def _matched(references: Named, given: Named, key: Callable[[str], str]) -> Match:
    waiting: dict[str, list[str]] = defaultdict(list)
    for name in given:
        waiting[key(name)].append(name)
    inputs, missing = [], []
    for name in references:
        if candidates := waiting[key(name)]:
            inputs.append(given[candidates.pop(0)])
        else:
            missing.append(name)
    extra = [name for names in waiting.values() for name in names]
    return Match(tuple(inputs), tuple(missing), tuple(sorted(extra)))
