"""Quality gates: figures that must be reached, fixed ones or those of an earlier run."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from enhance_cli.bench.plan import PlannedRow
from enhance_cli.bench.report import Row
from enhance_cli.errors import GateError, UsageError
from enhance_cli.imaging.files import write_atomic
from enhance_cli.metrics.gates import below, first_of

SCHEMA = 2
"""1 had rows of the ensemble under the network's plain name."""
SSIM_SHARE = 0.05
"""SSIM may fall by this share of the tolerance in dB: 0.0005 for 0.01 dB."""
DIGITS = 6
LOWER_IS_BETTER = ("lpips", "dists", "niqe")
"""Metrics that no gate judges: theirs is another direction, and another scale."""
Key = tuple[str, ...]
KEY = ("task", "dataset", "setting", "model")
"""What a row of a baseline is called by."""
CONDITIONS = ("protocol", "seed", "images")
"""What must be alike, or two figures cannot be compared."""


@dataclass(frozen=True)
class MissedGate:
    """A figure that misses its gate."""

    row: Row
    metric: str
    required: float
    reason: str
    """Which gate: "--min-psnr", "baseline"."""

    @property
    def model(self) -> str:
        """The network, or what doing nothing is called."""
        return self.row.model or self.row.baseline_name

    @property
    def measured(self) -> float:
        """The figure."""
        return self.row.metrics[self.metric]

    def __str__(self) -> str:
        digits = 5 if self.metric.startswith("ssim") else 3
        figures = f"{self.metric} {self.measured:.{digits}f} < {self.required:.{digits}f}"
        return f"{self.row.dataset} {self.row.setting} {self.model}: {figures} ({self.reason})"


@dataclass(frozen=True, kw_only=True)
class Gates:
    """The gates of one run."""

    baseline: Path | None = None
    tolerance: float = 0.01
    """How many dB a figure may lie below the baseline's."""
    update: bool = False
    """Write the baseline instead of comparing with it."""
    psnr: float | None = None
    ssim: float | None = None

    def check(self, plan: Sequence[PlannedRow], *, seed: int) -> None:
        """Raise UsageError, before anything is computed, for what could not be judged afterwards."""
        if self.update and self.baseline is None:
            raise UsageError("--update-baseline needs --baseline FILE")
        if (self.baseline, self.psnr, self.ssim) == (None, None, None):
            return
        idle = next((planned for planned in plan if planned.net is None), None)
        if idle is not None:
            where = f"{idle.dataset.name} {idle.setting.name}"
            raise UsageError(
                f"a gate is asked for and no network is measured on {where}; name one with --model"
            )
        if self.baseline is not None:
            known = read_baseline(self.baseline, new=self.update)
            for planned in plan if not self.update else ():
                dataset, setting = planned.dataset, planned.setting
                words = dict(zip(KEY, (setting.task, dataset.name, setting.name, planned.model), strict=True))
                conditions = {"protocol": planned.protocol, "seed": seed, "images": len(dataset.images)}
                _check_alike(words | conditions, known, self.baseline)

    def judge(self, rows: Sequence[Row]) -> list[MissedGate]:
        """Every figure that misses a gate; writes the baseline if that was asked for."""
        missed = below_floors(rows, psnr=self.psnr, ssim=self.ssim)
        if self.baseline is not None and self.update:
            update_baseline(rows, self.baseline)
        elif self.baseline is not None:
            missed += below_baseline(rows, self.baseline, tolerance=self.tolerance)
        return missed


def below_floors(rows: Sequence[Row], *, psnr: float | None, ssim: float | None) -> list[MissedGate]:
    """Every row whose mean PSNR or SSIM (on Y where that is measured) lies below its floor."""
    return [
        MissedGate(row, metric, floor, f"--min-{metric.removesuffix('_y')}")
        for row in rows
        for metric, floor in below(row.metrics, {"psnr": psnr, "ssim": ssim})
    ]


def below_baseline(rows: Sequence[Row], path: Path, *, tolerance: float) -> list[MissedGate]:
    """Every figure that is worse than the baseline's by more than `tolerance` dB (SSIM: a twentieth of it).

    Raises UsageError if the file cannot be used, has no such row, or made it under other conditions.
    """
    known = read_baseline(path)
    found = []
    for row in rows:
        if row.model is None:
            continue
        now = _entry(row)
        before = _check_alike(now, known, path)
        lost = set(before["metrics"]) - set(now["metrics"])
        if lost:
            raise UsageError(
                f"baseline {path} has {', '.join(sorted(lost))}, which this run has not; add --metric"
            )
        for metric, measured in now["metrics"].items():
            # null is what infinity became: nothing can be better.
            measured = row.metrics[metric] if measured is None else measured
            required = before["metrics"].get(metric, -math.inf)
            required = math.inf if required is None else required
            slack = tolerance * (SSIM_SHARE if metric.startswith("ssim") else 1)
            if metric not in LOWER_IS_BETTER and not measured >= required - slack:
                found.append(MissedGate(row, metric, required, f"baseline, tolerance {slack:g}"))
    return found


def update_baseline(rows: Sequence[Row], path: Path) -> None:
    """Write the rows into the baseline; other rows stay. Raises WriteError or UsageError if it cannot be."""
    known = read_baseline(path, new=True)
    known |= {_key(entry): entry for entry in (_entry(row) for row in rows if row.model is not None)}
    text = json.dumps({"schema": SCHEMA, "rows": [known[key] for key in sorted(known)]}, indent=1)
    write_atomic(path, f"{text}\n".encode())


def read_baseline(path: Path, *, new: bool = False) -> dict[Key, dict[str, Any]]:
    """The rows of a baseline file by task, dataset, setting and model; raises UsageError in one line.

    `new`: it is to be written, and may not be there yet.
    """
    if new and not path.exists():
        return {}
    again = "remove it first" if new else "write it anew with --update-baseline"
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read baseline {path}: {error.strerror}; {again}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"baseline {path} is not JSON ({error}); {again}") from error
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise UsageError(f"baseline {path} is not of schema {SCHEMA}; {again}")
    rows = document.get("rows")
    if not isinstance(rows, list) or not all(
        isinstance(row, dict)
        and all(isinstance(row.get(word), str) for word in (*KEY, "protocol"))
        and all(isinstance(row.get(word), int) for word in ("seed", "images"))
        and isinstance(row.get("metrics"), dict)
        and all(isinstance(value, (int, float, type(None))) for value in row["metrics"].values())
        for row in rows
    ):
        raise UsageError(f"baseline {path} holds rows that are none; {again}")
    return {_key(row): row for row in rows}


def raise_if_any(missed: Sequence[MissedGate]) -> None:
    """Raise GateError that names the figures that missed their gates."""
    if missed:
        raise GateError(first_of([str(one) for one in missed], "; "))


def _entry(row: Row) -> dict[str, Any]:
    metrics = {
        name: round(value, DIGITS) if math.isfinite(value) else None for name, value in row.metrics.items()
    }
    words = {word: getattr(row, word) for word in (*KEY, "protocol", "seed")}
    return {**words, "images": len(row.scores), "weights": row.weights, "metrics": metrics}


def _check_alike(now: dict[str, Any], known: dict[Key, dict[str, Any]], path: Path) -> dict[str, Any]:
    """The baseline's row of that name; raises UsageError if there is none or it was measured otherwise."""
    before, name = known.get(_key(now)), " ".join(now[word] for word in ("dataset", "setting", "model"))
    if before is None:
        raise UsageError(f"baseline {path} has no row for {name}; --update-baseline adds it")
    for what in CONDITIONS:
        if before[what] != now[what]:
            differ = f"{name} with {what} {before[what]}, this run with {now[what]}"
            raise UsageError(
                f"baseline {path} measured {differ}; run it alike, or write it anew with --update-baseline"
            )
    return before


def _key(entry: dict[str, Any]) -> Key:
    return tuple(entry[word] for word in KEY)
