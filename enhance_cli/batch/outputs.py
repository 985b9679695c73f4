"""From inputs to jobs: outputs named, references paired, collisions refused.

Imported by commands when they run, never for `--help`.
"""

from __future__ import annotations

import os
import re
import string
import sys
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePath

from enhance_cli.batch.inputs import STREAM, Found, Inputs, find_inputs
from enhance_cli.batch.plan import Job
from enhance_cli.batch.records import Records
from enhance_cli.errors import CollisionError, ImageError, ReadError, UsageError
from enhance_cli.imaging.formats import FORMATS, IMAGE_SUFFIXES, format_of
from enhance_cli.metrics.pairing import bare
from enhance_cli.tasks import TaskSpec

SUFFIXES = {
    "png": ".png",
    "jpg": ".jpg",
    "jpeg": ".jpg",
    "webp": ".webp",
    "tiff": ".tif",
    "bmp": ".bmp",
    "ppm": ".ppm",
    "gif": ".gif",
    "avif": ".avif",
    "heic": ".heic",
    "jxl": ".jxl",
}
"""What --format takes beside "same"."""
LONG_WIDTH = re.compile(r"\d{3}")
"""Of a field of --name: no file has so long a name, and making one of 10^9 characters takes long."""


@dataclass(frozen=True)
class Naming:
    """How outputs are called."""

    task: TaskSpec
    fields: Mapping[str, str]
    """What --name may use beside stem, ext and task."""
    template: str | None = None
    """--name."""
    format: str | None = None
    """--format: a key of SUFFIXES, "same", or None for the task's."""
    keep_animated: bool = False
    """Whether, with no format given, files that may hold several frames keep their kind."""

    def __post_init__(self) -> None:
        """UsageError if the template names an unknown field or a folder."""
        if self.template is None:
            return
        known = ("stem", "ext", "task", *self.fields)
        used = []
        try:
            for _, name, specification, _ in string.Formatter().parse(self.template):
                if "{" in (specification or "") or LONG_WIDTH.search(specification or ""):
                    raise ValueError(f"{specification} gives no width up to 99")
                used += [name] if name is not None else []
        except ValueError as error:
            raise UsageError(f"--name {self.template!r} is no template: {error}") from error
        for name in used:
            if name not in known:
                fields = ", ".join(f"{{{field}}}" for field in known)
                raise UsageError(f"--name knows no field {{{name}}}; there are {fields}")
        if {"/", os.sep, os.altsep} & set(self.template):
            raise UsageError(f"--name {self.template!r} names a folder; give a file name and use --output")

    def name(self, source: PurePath, *, beside: bool) -> str:
        """File name of the output for `source`; `beside` it, the name of the task tells them apart."""
        try:
            kept = FORMATS[format_of(Path(source))]
        except UsageError:  # a kind that is only read, or none
            kept = None
        if self.format == "same":
            suffix = source.suffix if kept else ".png"
        elif self.format is None and self.keep_animated and kept and kept.frames:
            suffix = source.suffix
        else:
            suffix = SUFFIXES[self.format or self.task.format]
        if self.template is None:
            return f"{source.stem}_{self.task.name}{suffix}" if beside else f"{source.stem}{suffix}"
        values = {"stem": source.stem, "ext": suffix[1:], "task": self.task.name, **self.fields}
        try:
            name = self.template.format(**values)
        except ValueError as error:
            raise UsageError(f"--name {self.template!r}: {error}") from error
        format_of(Path(name))
        return name


def plan_jobs(
    inputs: Inputs, naming: Naming, output: str | None, reference: Path | None
) -> tuple[tuple[Job, ...], int]:
    """Name every output and pair every reference; returns the jobs and how many inputs were our own outputs.

    UsageError for an output that cannot be, CollisionError if two inputs would write one file or one
    would overwrite an input.  Nothing is written.
    """
    references = None if reference is None else _References(reference, inputs)
    place, root = _place(inputs, output, naming)
    jobs = []
    for found in inputs.found:
        problem: ImageError | None = ReadError(found.problem) if found.problem else None
        partner: Path | None = None
        if references and not problem:
            try:
                partner = references.of(found)
            except ImageError as error:
                problem = error
        jobs.append(Job(found.path, place(found), partner, problem, root))
    kept = _without_own(jobs)
    _check_collisions(kept)
    return tuple(kept), len(jobs) - len(kept)


def _place(
    inputs: Inputs, output: str | None, naming: Naming
) -> tuple[Callable[[Found], Path | None], Path | None]:
    """Where outputs go: standard output, beside their inputs, one file, or a folder (returned as well)."""
    if output == STREAM and inputs.many:
        raise UsageError("standard output takes one picture; name a folder with -o/--output")
    if output == STREAM or (output is None and inputs.found[:1] and inputs.found[0].path is None):
        return lambda found: None, None
    if output is None:
        return (
            lambda found: (
                (Path() if found.path is None else found.path.parent)
                / naming.name(found.relative, beside=True)
            ),
            None,
        )
    if _is_folder(output, many=inputs.many):
        folder = Path(output)
        return (
            lambda found: folder / found.relative.parent / naming.name(found.relative, beside=False),
            folder,
        )
    file = Path(output)
    try:
        format = format_of(file)
    except UsageError as error:
        raise UsageError(f"{error}, or end it with / to make it a folder") from error
    if naming.template is not None:
        raise UsageError(f"--name and the output file {output} are both given; leave one out")
    if naming.format not in (None, "same") and format_named(naming.format) != format:
        raise UsageError(f"--format {naming.format} and the suffix of {output} disagree; leave one out")
    return lambda found: file, None


def _is_folder(output: str, *, many: bool) -> bool:
    path = Path(output)
    # Not Path.is_dir, which raises for names that are too long.
    if os.path.isdir(output) or output.endswith(("/", os.sep)):
        return True
    if not many:
        # "x.jpgg" is a slip; "v1.2" is a folder.
        return not path.suffix[1:2].isalpha()
    if os.path.exists(output):
        raise UsageError(f"{output} is a file; several pictures need a folder")
    if path.suffix.lower() in IMAGE_SUFFIXES:
        raise UsageError(f"{output} looks like a file; end it with / to make it the folder of the results")
    return True


def format_named(flag: str) -> str:
    """What --format means as a format's name; "same" means itself."""
    return format_of(Path(f"x{SUFFIXES[flag]}")) if flag in SUFFIXES else flag


class _References:
    """Clean pictures by their relative path without suffix, or without the marks of their side as well."""

    def __init__(self, reference: Path, inputs: Inputs) -> None:
        self._folder = reference
        self._only: Path | None = None
        if not reference.exists():
            raise UsageError(f"No such file or folder: {reference} (--reference)")
        if reference.is_dir():
            self._index: dict[str, list[Path]] = {}
            self._bare: dict[str, list[Path]] = {}
            for found in find_inputs([str(reference)], output=None).found:
                if found.path and not found.problem:
                    stem = _stem(found.relative)
                    self._index.setdefault(stem, []).append(found.path)
                    self._bare.setdefault(bare(stem), []).append(found.path)
        elif inputs.many:
            raise UsageError(f"--reference {reference} is a file; several pictures need a folder")
        else:
            self._only = reference

    def of(self, found: Found) -> Path:
        """The partner; ImageError if there is none, or more than one."""
        if self._only:
            return self._only
        stem = _stem(found.relative)
        partners = self._index.get(stem) or self._bare.get(bare(stem), [])
        if len(partners) == 1:
            return partners[0]
        if partners:
            names = " and ".join(path.name for path in partners)
            raise ImageError(f"{names} in {self._folder} could both be its reference; keep one")
        raise ImageError(f"no reference {stem}.* in {self._folder}")


def _stem(relative: PurePath) -> str:
    return relative.with_suffix("").as_posix()


def _without_own(jobs: Sequence[Job]) -> list[Job]:
    """Leave out inputs that are outputs of an earlier run of the same command, to be found up to date."""
    writers: dict[str, list[Job]] = {}
    for job in jobs:
        if job.output:
            writers.setdefault(_real(job.output), []).append(job)
    records = Records()

    def own(job: Job) -> bool:
        if job.input is None:
            return False
        others = [writer for writer in writers.get(_real(job.input), ()) if writer is not job]
        return bool(others) and records.knows(job.input)

    return [job for job in jobs if not own(job)]


def _check_collisions(jobs: Sequence[Job]) -> None:
    # A link is an input, and so is the file that it leads to.
    read = {path for job in jobs if job.input for path in (job.input, Path(os.path.realpath(job.input)))}
    inputs = {_key(path) for path in read}
    writers: dict[str, Job] = {}
    for job in jobs:
        if job.output is None:
            continue
        key = _key(job.output)
        if key in inputs:
            raise CollisionError(f"{job.output} is both an input and an output; name another with --output")
        if key in writers:
            raise CollisionError(
                f"{writers[key].input_name} and {job.input_name} would both write {job.output}; "
                "keep their suffixes with --format same, or run them apart"
            )
        writers[key] = job


def _key(path: Path) -> str:
    """Equal for paths of one file, also where the file system ignores case or how accents are encoded."""
    real, folds = _real(path), folds_case(path.parent)
    # Those of macOS take both ways (NFC, NFD) for one name, others only where they fold case; NTFS never.
    if sys.platform == "darwin" or (folds and sys.platform != "win32"):
        real = unicodedata.normalize("NFC", real)
    return real.casefold() if folds else real


def _real(path: Path) -> str:
    return os.path.join(real_folder(path.parent), path.name)


@cache
def real_folder(folder: Path) -> str:
    """The folder's path without links."""
    return os.path.realpath(folder)


@cache
def folds_case(folder: Path) -> bool:
    """Whether the file system of a folder, which need not exist yet, takes "a" and "A" for the same."""
    real = Path(real_folder(folder))
    for existing in (path for path in (real, *real.parents) if os.path.exists(path)):
        other = existing.with_name(existing.name.swapcase()) if existing.name else existing
        if other.name != existing.name:
            return other.exists() and other.samefile(existing)
    return False
