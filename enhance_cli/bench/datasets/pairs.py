"""Pairs from two folders: degraded pictures in one, clean ones in the other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from enhance_cli.bench.datasets.contract import Dataset, some
from enhance_cli.bench.datasets.match import match, pictures
from enhance_cli.errors import UsageError


def pairs(
    input_dir: Path,
    reference_dir: Path,
    settings: Sequence[str],
    *,
    name: str | None = None,
    limit: int | None = None,
) -> Dataset:
    """A set whose inputs, for each of `settings` ("x4"), lie in `input_dir` or in folders within.

    Files pair by their path without suffix, or without marks such as x2, _LR and _HR as well. It is called
    `name`, or like the folder of references. Raises UsageError naming the first files that have no partner.
    """
    given, clean = _side("--input", input_dir), _side("--reference", reference_dir)
    found = match(clean, given)
    if found.missing:
        raise UsageError(f"--input {input_dir} has nothing for {some(found.missing)} of {reference_dir}")
    if found.extra:
        raise UsageError(f"--reference {reference_dir} has nothing for {some(found.extra)} of {input_dir}")
    dataset = Dataset(
        paired=True,
        name=name or reference_dir.resolve().name,
        images=tuple(clean.values()),
        inputs=dict.fromkeys(settings, found.inputs),
        folder=reference_dir,
    )
    return dataset.first(limit)


def _side(flag: str, folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise UsageError(f"{flag} {folder} is not a folder")
    found = pictures(folder, deep=True)
    if not found:
        raise UsageError(f"{flag} {folder} holds no pictures")
    return found
