"""What is there and what is not, for whoever shows it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from enhance_cli.bench.datasets.find import Dataset, builtin, found_in
from enhance_cli.bench.datasets.known import BUILTIN, KNOWN_SETS

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
    """What ready-made inputs there are."""
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
    absent = [
        Dataset(
            name=known.name,
            images=(),
            expected=known.images,
            complete=None if known.images is None else False,
        )
        for known in KNOWN_SETS.values()
        if known.name not in found
    ]
    return tuple(
        Listed(
            name=one.name,
            tasks=one.tasks,
            images=len(one.images),
            expected=one.expected,
            complete=one.complete,
            inputs=tuple(one.inputs),
            folder=one.folder,
            problem=one.problem,
            get=one.name in KNOWN_SETS and KNOWN_SETS[one.name].archive is not None,
        )
        for one in (*found.values(), *absent)
    )
