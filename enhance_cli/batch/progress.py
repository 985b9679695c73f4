"""What a batch tells while it runs: the events, and their JSON form (schema 1)."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import Any, Literal

from enhance_cli.engine.condition import ConditionFrom
from enhance_cli.engine.damage import Damage
from enhance_cli.metrics.measure import Metrics

SCHEMA = 1
"""Raised when a field changes its meaning or goes; new fields leave it alone."""

Status = Literal["done", "current", "skipped", "failed"]


@dataclass(frozen=True)
class WeightsUsed:
    """Which weights, by content."""

    name: str
    sha256: str
    licence: str | None
    recognised: str | None = None
    """For foreign files: what they were found to be, in one line."""


@dataclass(frozen=True, kw_only=True)
class Start:
    """Settings are resolved and work begins."""

    task: str
    settings: dict[str, Any]
    """What was asked for, JSON-serialisable."""
    device: str | None
    """None, like backend and precision, where nothing is computed (dry run)."""
    backend: str | None
    precision: str | None
    weights: tuple[WeightsUsed, ...]
    """All that may serve: which one a picture takes depends on its colour and size."""
    inputs: int
    notes: tuple[str, ...] = ()
    """What "auto" fell back to or took and why, one line each."""
    ensemble: bool = False
    """Whether results are means over flips and turns, asked for by --ensemble or by --model best."""

    def to_json(self) -> str:
        """One line of JSON."""
        weights = [vars(one) for one in self.weights]
        return _line("start", {**vars(self), "weights": weights})


@dataclass(frozen=True, kw_only=True)
class Seconds:
    """Time one picture took in each stage."""

    read: float = 0.0
    restore: float = 0.0
    write: float = 0.0

    def plus(self, other: Seconds) -> Seconds:
        """The sum, stage by stage."""
        return Seconds(**{stage: took + getattr(other, stage) for stage, took in vars(self).items()})


@dataclass(frozen=True, kw_only=True)
class Waited:
    """Seconds in which the network had nothing to do or could not go on: for reading and for writing."""

    read: float = 0.0
    write: float = 0.0


@dataclass(frozen=True, kw_only=True)
class FileDone:
    """One picture has come to its end."""

    input: str
    output: str
    status: Status
    input_size: tuple[int, int] | None = None
    """(width, height)."""
    output_size: tuple[int, int] | None = None
    seconds: Seconds = field(default_factory=Seconds)
    device: str | None = None
    backend: str | None = None
    precision: str | None = None
    tiles: int | None = None
    frames: int | None = None
    """Written, where several were; `output_size` is the first one's."""
    model: str | None = None
    condition: float | None = None
    """Noise sigma or JPEG quality that the network was told."""
    condition_from: ConditionFrom | None = None
    damage: Damage | None = None
    """What was found in the picture, where it was to decide; "none" left it as it is."""
    metrics: Metrics | None = None
    """Of the output against the reference."""
    baseline: Metrics | None = None
    """Of the untreated input (bicubic, where it was enlarged) against the same reference."""
    warnings: tuple[str, ...] = ()
    error: str | None = None
    cause: BaseException | None = None
    """The exception behind `error`, for those who debug; not part of the JSON."""

    def to_json(self) -> str:
        """One line of JSON; what is not known is left out."""
        known = {key: value for key, value in vars(self).items() if value is not None and key != "cause"}
        del known["warnings"]
        if self.damage:
            known["damage"] = self.damage.to_json()
        if self.warnings:
            known["warning"] = "; ".join(self.warnings)
        return _line("file", {**known, "seconds": _rounded(vars(self.seconds))})


@dataclass(frozen=True)
class TileDone:
    """Part of a picture is done; there is no JSON event for it."""

    input: str
    done: int
    total: int


@dataclass(frozen=True, kw_only=True)
class Summary:
    """The batch has come to its end."""

    done: int
    current: int
    skipped: int
    """Files in folders that are no pictures, and everything in a dry run."""
    failed: int
    seconds: float
    stages: Seconds = field(default_factory=Seconds)
    """Sums over the pictures; stages run side by side, so that these may be more than `seconds`."""
    waited: Waited = field(default_factory=Waited)
    """Not counted is the writing of the last pictures, for which there is nothing left to do."""
    megapixels: float
    """Of the outputs written."""
    metrics: Metrics | None = None
    """Mean over the pictures that have them."""
    baseline: Metrics | None = None
    interrupted: bool = False
    """Whether the run was stopped before its end; what was not begun is not counted."""

    def to_json(self) -> str:
        """One line of JSON; what is not known is left out."""
        known = {key: value for key, value in vars(self).items() if value is not None}
        known |= _rounded({"seconds": self.seconds, "megapixels": self.megapixels})
        known |= {"stages": _rounded(vars(self.stages)), "waited": _rounded(vars(self.waited))}
        return _line("summary", known)


Event = Start | FileDone | TileDone | Summary


def mean(metrics: list[Metrics]) -> Metrics | None:
    """Mean of each figure; None if there are none."""
    if not metrics:
        return None
    return {key: math.fsum(one[key] for one in metrics) / len(metrics) for key in metrics[0]}


def _line(event: str, fields: dict[str, Any]) -> str:
    for key in ("metrics", "baseline"):
        if fields.get(key):
            # JSON has no infinity: equal pictures have a PSNR of null.
            figures = fields[key].items()
            known = {name: round(value, 6) if math.isfinite(value) else None for name, value in figures}
            fields = {**fields, key: known}
    # ASCII, so that any name survives any locale, undecodable bytes included.
    return json.dumps({"event": event, "schema": SCHEMA, **fields}, ensure_ascii=True, allow_nan=False)


def _rounded(values: dict[str, float]) -> dict[str, float]:
    return {key: round(value, 4) for key, value in values.items()}
