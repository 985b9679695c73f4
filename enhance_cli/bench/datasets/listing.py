"""What is there and what is not, for whoever shows it."""

from __future__ import annotations

import json
from pathlib import Path

from enhance_cli.bench.datasets.find import Dataset, builtin, found_in
from enhance_cli.bench.datasets.known import BUILTIN, KNOWN_SETS

HEAD = ("name", "task", "images", "state", "inputs", "folder")


def listing(root: Path | None) -> tuple[Dataset, ...]:
    """The sets under `root`, the built-in one, and the known ones that were not found, without pictures."""
    found = {dataset.name: dataset for dataset in (found_in(root) if root else ())}
    found.setdefault(BUILTIN, builtin())
    for known in KNOWN_SETS.values():
        complete = None if known.images is None else False
        absent = Dataset(name=known.name, images=(), expected=known.images, complete=complete)
        found.setdefault(known.name, absent)
    return tuple(found.values())


def cells(dataset: Dataset) -> tuple[str, ...]:
    """One line of the list, as `HEAD` names its cells."""
    count, expected = len(dataset.images), dataset.expected
    state = {True: "complete", False: "incomplete", None: "-"}[dataset.complete]
    return (
        dataset.name,
        ", ".join(dataset.tasks) or "-",
        str(count) if expected in (None, count) else f"{count}/{expected}",
        state if dataset.folder else "not found",
        ", ".join(dataset.inputs) or "-",
        str(dataset.folder or "-"),
    )


def to_json(dataset: Dataset) -> str:
    """The `dataset` event, one line of JSON; `get` says whether `enhance datasets get` knows an address."""
    known = KNOWN_SETS.get(dataset.name)
    event = {
        "event": "dataset",
        "schema": 1,
        "name": dataset.name,
        "tasks": dataset.tasks,
        "images": len(dataset.images),
        "expected": dataset.expected,
        "complete": dataset.complete,
        "inputs": tuple(dataset.inputs),
        "folder": None if dataset.folder is None else str(dataset.folder),
        "problem": dataset.problem,
        "get": known is not None and known.archive is not None,
    }
    return json.dumps(event)
