"""What a weights file of ours says about itself.  No torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast, get_args

from enhance_cli.arch.contract import Parameters, Task
from enhance_cli.checkpoints.limits import shown
from enhance_cli.errors import ModelError

CHOSEN_FOR = "chosen_for"
REQUIRED = ("arch", "parameters", "task")
"""Metadata that a file of ours has; everything else is free."""
LARGEST = 10_000
"""No network has as many channels."""


@dataclass(frozen=True, kw_only=True)
class Header:
    """The metadata of a file of ours, checked."""

    arch: str
    """Key in the registry of networks; whether it is there is not checked."""
    parameters: Parameters
    """The network's plain keyword parameters."""
    tasks: tuple[Task, ...]
    """All tasks that the weights can do, the main one first."""
    chosen_for: float | None
    """Strength for which a converted network was taken out of a foreign file with several."""
    condition_range: tuple[float, float] | None
    """Smallest and largest condition (noise sigma 0..255 or JPEG quality) trained for."""
    licence: str | None
    metadata: Mapping[str, str]
    """Everything that the file says, the entries above included."""


def header_of(metadata: Mapping[str, str]) -> Header:
    """What the metadata of a file of ours say; ModelError names the entry that is missing or wrong."""
    for key in REQUIRED:
        if key not in metadata:
            raise ModelError(f"it has no metadata {key!r}; write it with enhance train, or give another file")
    # Converted files name further tasks.
    tasks = tuple(dict.fromkeys((metadata["task"], *metadata.get("tasks", "").split())))
    for task in tasks:
        if task not in get_args(Task):
            raise ModelError(f"unknown task {shown(task)!r}; known: {', '.join(get_args(Task))}")
    chosen_for = metadata.get(CHOSEN_FOR)
    try:
        strength = None if chosen_for is None else float(chosen_for)
    except ValueError as error:
        raise ModelError(f"metadata {CHOSEN_FOR!r} is no number: {shown(chosen_for)}") from error
    return Header(
        arch=metadata["arch"],
        parameters=_parameters(metadata["parameters"]),
        tasks=cast("tuple[Task, ...]", tasks),
        chosen_for=strength,
        condition_range=_range(metadata.get("condition_range")),
        licence=metadata.get("licence"),
        metadata=metadata,
    )


def _parameters(text: str) -> Parameters:
    try:
        parameters = json.loads(text)
    except (ValueError, RecursionError) as error:  # also for numbers and nesting without end
        raise ModelError(f"metadata 'parameters' is not JSON: {shown(text)!r}") from error
    if not isinstance(parameters, dict):
        raise ModelError(f"metadata 'parameters' must be a JSON object, not {shown(text)!r}")
    for key, value in parameters.items():
        if isinstance(value, (int, float)) and not abs(value) <= LARGEST:
            raise ModelError(f"parameter {shown(key)} = {shown(value)} is beyond any network")
    return parameters


def _range(text: str | None) -> tuple[float, float] | None:
    """What the trainer noted: "[low, high]"; None for anything else."""
    try:
        low, high = json.loads(text or "null")
        return float(low), float(high)
    except (TypeError, ValueError, RecursionError):
        return None
