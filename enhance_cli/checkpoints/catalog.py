"""The catalog of shipped weights: frozen records read from weights/catalog.toml.  No torch."""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

from enhance_cli.checkpoints import store
from enhance_cli.errors import ModelError
from enhance_cli.tasks import TASKS

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

COLOURS = ("y", "gray", "rgb")
SPEEDS = ("fast", "default", "best")
"""From the quickest to the most thorough; a task takes "default" unasked."""
ENSEMBLED = "best"
"""The tier whose results are averaged over flips and turns, whatever weights serve it."""
PHOTO = "photo"
"""For photographs that are blurred, noisy and compressed, where the others expect the task's fault alone."""
TIERS = (*SPEEDS, PHOTO)


@dataclass(frozen=True, kw_only=True)
class Weights:
    """One shipped set of weights, as its [[weights]] table in the catalog tells it."""

    name: str
    """What `--model` takes."""
    file: str
    """File name inside the weights folder."""
    sha256: str
    """Of that file, lower-case hex."""
    arch: str
    """Key in the registry of networks."""
    task: str
    """Name of its row in `TASKS`."""
    scale: int = 1
    """Enlargement; 1 where the picture keeps its size."""
    colour: str
    """"y", "gray" or "rgb", as in ArchSpec."""
    condition_range: tuple[float, float] | None = None
    """Smallest and largest condition trained for (sigma 0..255 or quality 1..100), both included."""
    tier: str | None = None
    """One of `TIERS`, by which `--model` finds it too; None for weights that go by their name alone."""
    licence: str
    parameters: int
    """How many numbers were trained."""
    summary: str
    """One line for `enhance models list`."""


def catalog() -> tuple[Weights, ...]:
    """All shipped weights in the catalog's order; ModelError if the catalog is missing or malformed."""
    return read_catalog(store.weights_folder() / store.CATALOG_NAME)


def find(name: str) -> Weights:
    """The weights of that name; ModelError that lists names like it."""
    known = {weights.name: weights for weights in catalog()}
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known) or list(known)
    raise ModelError(
        f"unknown model {name!r}; did you mean {', '.join(near)}? (enhance models list shows all)"
    )


def of_tier(tier: str, task: str, *, scale: int = 1, gray: bool) -> Weights:
    """What a task takes of a tier, or of the nearest that has weights of its scale; then by fitting colour.

    `gray` says whether the picture has one channel: then any tier's weights for gray go before those for
    colour.  ModelError where nothing has that task and scale.
    """
    fitting = [weights for weights in _candidates(tier, task) if weights.scale == scale]
    if not fitting:
        there = ", ".join(map(str, scales(tier, task)))
        if tier == PHOTO and not there:
            raise ModelError(f"no {PHOTO} model for {task}; leave out --model {PHOTO}")
        kind = f"{PHOTO} model" if tier == PHOTO else "model"
        raise ModelError(f"no {kind} for {task} at scale {scale}; scales there are: {there or 'none'}")
    colours = ("gray", "y") if gray else ("rgb",)

    def order(weights: Weights) -> tuple[bool, bool, int, bool]:
        # A colour network spends three times the work on a gray picture, and is no better there.
        wasted = gray and weights.colour == "rgb"
        same = weights.tier in (tier, None)
        steps = 0 if same else abs(SPEEDS.index(tier) - SPEEDS.index(weights.tier))
        return weights.tier is None, wasted, steps, weights.colour not in colours

    return min(fitting, key=order)


def scales(tier: str, task: str) -> list[int]:
    """The enlargements, rising, that a task has at a tier or one that may stand in for it."""
    return sorted({weights.scale for weights in _candidates(tier, task)})


def _candidates(tier: str, task: str) -> list[Weights]:
    """One speed may stand in for another, but none for photographs, nor they for it."""
    of_task = [weights for weights in catalog() if weights.task == task]
    return [weights for weights in of_task if (weights.tier == PHOTO) == (tier == PHOTO)]


def read_catalog(path: Path) -> tuple[Weights, ...]:
    """Parse one catalog file; ModelError says which table and key is wrong."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelError(f"no weights catalog at {path}; reinstall the package") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ModelError(f"{path} is not valid TOML: {error}") from error
    tables = document.get("weights", [])
    if set(document) - {"weights"} or not isinstance(tables, list):
        raise ModelError(f"{path} must hold [[weights]] tables and nothing else")
    records = tuple(_record(table, f"{path}, weights {number}") for number, table in enumerate(tables, 1))
    names = [record.name for record in records]
    for name in names:
        if names.count(name) > 1:
            raise ModelError(f"{path}: two weights are named {name!r}; rename one")
    return records


def _record(table: Any, where: str) -> Weights:
    if not isinstance(table, dict):
        raise ModelError(f"{where}: not a table")
    known = {field.name: field for field in fields(Weights)}
    for key in table:
        if key not in known:
            raise ModelError(f"{where}: unknown key {key!r}; known: {', '.join(known)}")
    for key, field in known.items():
        if key not in table and field.default is MISSING:
            raise ModelError(f"{where}: key {key!r} is missing")
    for key, value in table.items():
        fits, expected = EXPECTED[key]
        if not fits(value):
            raise ModelError(f"{where}: {key} = {value!r} is not {expected}")
    if "condition_range" in table:
        low, high = table["condition_range"]
        table = {**table, "condition_range": (float(low), float(high))}
    return Weights(**table)


def _text(pattern: str) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and re.fullmatch(pattern, value, re.DOTALL) is not None


def _is_count(value: Any) -> bool:
    return type(value) is int and value > 0  # bool is an int to Python, not to a reader of the catalog


def _is_range(value: Any) -> bool:
    numbers = isinstance(value, list) and all(type(end) in (int, float) for end in value)
    return numbers and len(value) == 2 and value[0] < value[1]


TEXT = (_text(".+"), "a non-empty string")
COUNT = (_is_count, "a positive whole number")
EXPECTED: dict[str, tuple[Callable[[Any], bool], str]] = {
    "name": TEXT,
    "file": (_text(r"[^/\\]*\.safetensors"), "a plain file name that ends in .safetensors"),
    "sha256": (_text("[0-9a-f]{64}"), "64 lower-case hex digits"),
    "arch": TEXT,
    "task": (TASKS.__contains__, f"one of {', '.join(TASKS)}"),
    "scale": COUNT,
    "colour": (COLOURS.__contains__, f"one of {', '.join(COLOURS)}"),
    "condition_range": (_is_range, "two rising numbers"),
    "tier": (TIERS.__contains__, f"one of {', '.join(TIERS)}"),
    "licence": TEXT,
    "parameters": COUNT,
    "summary": TEXT,
}
"""Key of a table -> whether a value can stand there, and what can."""
