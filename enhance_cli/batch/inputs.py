"""Finding inputs: files, folders, globs and standard input.

Imported by commands when they run, never for `--help`.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from enhance_cli.batch.records import Records
from enhance_cli.errors import UsageError
from enhance_cli.imaging.formats import IMAGE_SUFFIXES

STREAM = "-"
"""Standard input or output."""


@dataclass(frozen=True)
class Found:
    """One input."""

    path: Path | None
    """None for standard input."""
    relative: PurePath
    """To the folder or the fixed part of the glob it came from; the bare name of a file."""
    problem: str | None = None
    """Why it cannot be read."""


@dataclass(frozen=True)
class Inputs:
    """All inputs of a run."""

    found: tuple[Found, ...]
    skipped: int
    """Files in folders and globs that are no pictures."""
    many: bool
    """Whether a folder, a glob or several paths were named, so that the output must be a folder."""


def split_output(paths: Sequence[str], output: str | None) -> tuple[list[str], str | None]:
    """Tell inputs and output apart: two paths are IN and OUT; UsageError for more without --output.

    A second path that is a file which enhance did not write is never the output.
    """
    if output is not None or len(paths) == 1:
        return list(paths), output
    if len(paths) == 2:
        if os.path.isfile(paths[1]) and not Records().knows(Path(paths[1])):
            # A glob may have given both, and then this is an original.
            raise UsageError(
                f"{paths[1]} exists and enhance did not write it, so it is not taken for the output; "
                "name the output with -o/--output"
            )
        return [paths[0]], paths[1]
    raise UsageError(f"{len(paths)} paths are given; name the output of several inputs with -o/--output")


def find_inputs(names: Sequence[str], *, output: str | None, recursive: bool = True) -> Inputs:
    """Expand files, folders, globs and "-".

    `output`: a folder that is not searched when it lies inside an input.  UsageError if the only name
    leads nowhere; among several a missing one becomes an input with a problem.
    """
    finder = _Finder(None if output is None else os.path.realpath(output), recursive)
    for name in names:
        finder.add(name, alone=len(names) == 1)
    return Inputs(tuple(finder.found.values()), finder.skipped, finder.many or len(names) > 1)


class _Finder:
    def __init__(self, excluded: str | None, recursive: bool) -> None:
        self.found: dict[str, Found] = {}
        self.skipped = 0
        self.many = False
        self._excluded = excluded
        self._recursive = recursive

    def add(self, name: str, *, alone: bool) -> None:
        path = Path(name)
        if name == STREAM:
            self._keep(Found(None, PurePath("stdin")))
        elif os.path.isdir(path):
            self.many = True
            self._walk(path, path, frozenset())
        elif os.path.lexists(path):
            self._keep(Found(path, PurePath(path.name), None if path.exists() else _broken(path)))
        elif glob.has_magic(name) and (matches := sorted(glob.glob(name, recursive=True))):
            self.many = True
            self._add_matches(name, matches)
        elif alone:
            raise UsageError(f"No such file or folder: {name}")
        else:
            self._keep(Found(path, PurePath(path.name), f"No such file or folder: {name}"))

    def _add_matches(self, pattern: str, matches: Sequence[str]) -> None:
        # The folders before the first wildcard.
        parts = Path(pattern).parts
        fixed = next(number for number, part in enumerate(parts) if glob.has_magic(part))
        root = Path(*parts[:fixed])
        for match in map(Path, matches):
            if not match.is_dir():
                self._add_file(match, root)
            elif "**" not in pattern:
                self._walk(match, root, frozenset())

    def _walk(self, folder: Path, root: Path, above: frozenset[str]) -> None:
        """`above`: the real folders that this one lies in, so that links cannot lead round in circles."""
        real = os.path.realpath(folder)
        if real in above or (above and real == self._excluded):
            return
        try:
            names = sorted(os.listdir(folder))
        except OSError as error:
            problem = f"cannot read folder {folder}: {error.strerror}"
            self._keep(Found(folder, folder.relative_to(root), problem))
            return
        for name in names:
            path = folder / name
            if name.startswith("."):
                continue
            if not path.is_dir():
                self._add_file(path, root)
            elif self._recursive:
                self._walk(path, root, above | {real})

    def _add_file(self, path: Path, root: Path) -> None:
        broken = not path.exists()
        wanted = IMAGE_SUFFIXES if not broken else IMAGE_SUFFIXES | {""}
        if path.suffix.lower() in wanted and (broken or path.is_file()):
            self._keep(Found(path, path.relative_to(root), _broken(path) if broken else None))
        else:
            self.skipped += 1

    def _keep(self, found: Found) -> None:
        self.found.setdefault(STREAM if found.path is None else os.path.abspath(found.path), found)


def _broken(path: Path) -> str:
    return f"{path} is a broken link" if path.is_symlink() else f"No such file: {path}"
