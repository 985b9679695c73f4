"""What is there and what is not, for whoever shows it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from enhance_cli.bench.datasets.contract import Dataset
from enhance_cli.bench.datasets.find import builtin, found_in
from enhance_cli.bench.datasets.known import BUILTIN, KNOWN, Known

HEAD = ("name", "task", "images", "state", "inputs", "folder")


@dataclass(frozen=True, kw_only=True)
class Listed:
    """One set, found or not."""

    name: str
    tasks: tuple[str, ...]
    images: int
    """How many were found."""
    expected: int | None
    complete: bool | None
    inputs: tuple[str, ...]
    """Settings for which there are ready-made inputs."""
    folder: Path | None
    """None where it was not found."""
    problem: str | None
    get: bool
    """Whether `enhance datasets get` knows where to fetch it."""

    @property
    def state(self) -> str:
        """In one word or two; empty where nobody knows how many pictures it should have."""
        if self.folder is None:
            return "not found"
        return {True: "complete", False: "incomplete", None: ""}[self.complete]

    @property
    def cells(self) -> tuple[str, ...]:
        """As `HEAD` names them."""
        count = str(self.images) if self.expected in (None, self.images) else f"{self.images}/{self.expected}"
        inputs, tasks = (", ".join(words) or "-" for words in (self.inputs, self.tasks))
        return self.name, tasks, count, self.state or "-", inputs, str(self.folder or "-")

    def to_json(self) -> str:
        """The `dataset` event, one line of JSON."""
        folder = None if self.folder is None else str(self.folder)
        return json.dumps({"event": "dataset", "schema": 1, **asdict(self), "folder": folder})


def listing(root: Path | None) -> tuple[Listed, ...]:
    """The sets under `root`, then the built-in one, then the known ones that were not found."""
    found = {dataset.name: dataset for dataset in (found_in(root) if root else ())}
    found.setdefault(BUILTIN, builtin())
    absent = [_absent(known) for known in KNOWN.values() if known.name not in found]
    return (*map(_present, found.values()), *absent)


def _present(dataset: Dataset) -> Listed:
    known = KNOWN.get(dataset.name)
    return Listed(
        name=dataset.name,
        tasks=dataset.tasks,
        images=len(dataset.images),
        expected=dataset.expected,
        complete=dataset.complete,
        inputs=tuple(dataset.inputs),
        folder=dataset.folder,
        problem=dataset.problem,
        get=bool(known and known.source),
    )


def _absent(known: Known) -> Listed:
    return Listed(
        name=known.name,
        tasks=known.tasks,
        images=0,
        expected=known.images,
        complete=None if known.images is None else False,
        inputs=(),
        folder=None,
        problem=None,
        get=known.source is not None,
    )
