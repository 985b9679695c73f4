"""Rows of the benchmark as plain data: JSON events, and tables of text for whoever renders them."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import fmean, median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from enhance_cli.bench.papers import Published
    from enhance_cli.metrics.measure import Metrics

SCHEMA = 1
WORDS = ("task", "dataset", "setting", "protocol", "seed", "ensemble", "model", "weights")
"""Fields of a row that its event holds as they are."""


@dataclass(frozen=True)
class Score:
    """One picture."""

    image: str
    baseline: Metrics
    metrics: Metrics
    """Empty where no network was run."""
    seconds: float
    """Time to restore it; reading, degrading and measuring not counted."""
    megapixels: float
    """Of the result."""

    @property
    def gain(self) -> float | None:
        """How much its leading metric (the first) is above doing nothing; None where no network was run."""
        return _gain(self.metrics, self.baseline)


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a network asks of a machine."""

    parameters: int
    gmac_per_megapixel: float | None
    """10^9 multiplications and additions for a million output pixels; None where that is not known."""
    peak_memory_mb: float | None
    """Largest resident size of the process up to the end of the row, in 10^6 bytes."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One network (or none, the baseline alone) at one setting on one set."""

    task: str
    dataset: str
    setting: str
    protocol: str
    """How it was degraded and measured, by name."""
    seed: int
    """Of the first picture's noise or blur; each later picture adds one."""
    ensemble: bool = False
    """Whether results are means over flips and turns."""
    baseline_name: str
    """"bicubic", "jpeg", "noisy", "blurred", "bilinear" or "input"."""
    model: str | None
    weights: str | None
    """sha256 of the weights file."""
    scores: tuple[Score, ...]
    paper: Published | None = None
    """What the network's paper reports there."""
    cost: Cost | None = None

    @property
    def metrics(self) -> Metrics:
        """Means over the pictures; empty where no network was run."""
        return _means([score.metrics for score in self.scores])

    @property
    def baseline(self) -> Metrics:
        """Means over the pictures for doing nothing."""
        return _means([score.baseline for score in self.scores])

    @property
    def seconds_per_megapixel(self) -> float | None:
        """Median over the pictures, so that the first one's warm-up does not count."""
        if self.model is None:
            return None
        return median(score.seconds / score.megapixels for score in self.scores)

    @property
    def gain(self) -> float | None:
        """How much its leading metric (the first) is above doing nothing; NaN if both are infinite."""
        return _gain(self.metrics, self.baseline)

    @property
    def worst_gain(self) -> float | None:
        """The gain of the picture that gained least; None where no network was run."""
        gains = [score.gain for score in self.scores if score.gain is not None]
        return min(gains, key=lambda gain: -math.inf if math.isnan(gain) else gain, default=None)

    @property
    def difference(self) -> float | None:
        """How much more was measured than the paper's PSNR; None without one."""
        return next(iter(self.metrics.values())) - self.paper.psnr if self.paper else None

    def to_json(self) -> str:
        """The `row` event, one line of JSON; figures that are not finite (equal pictures) are null."""
        event = {
            "event": "row",
            "schema": SCHEMA,
            **{word: getattr(self, word) for word in WORDS},
            "images": len(self.scores),
            "metrics": _finite(self.metrics),
            "baseline": {"name": self.baseline_name, **_finite(self.baseline)},
            "paper": self.paper and asdict(self.paper),
            "worst_gain": _rounded(self.worst_gain, 6),
            "seconds_per_megapixel": _rounded(self.seconds_per_megapixel, 4),
            "cost": self.cost and asdict(self.cost),
            "per_image": [
                {
                    "image": score.image,
                    "metrics": _finite(score.metrics),
                    "baseline": _finite(score.baseline),
                    "seconds": _rounded(score.seconds, 4),
                }
                for score in self.scores
            ],
        }
        return json.dumps(event, allow_nan=False)


@dataclass(frozen=True)
class Table:
    """Text, cell by cell; the first two columns are words, the rest figures."""

    title: str
    head: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]


def grouped(rows: Sequence[Row]) -> tuple[tuple[Row, ...], ...]:
    """The rows of each task on each set, in the order in which they first come."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.dataset, row.task), []).append(row)
    return tuple(map(tuple, groups.values()))


def table(rows: Sequence[Row]) -> Table:
    """One table from rows of one task on one set: per setting the baseline, then every network.

    Of real pictures none must become worse, so that their table has the least gain of any.
    """
    gains = ("gain", "worst") if any(row.protocol == "real" for row in rows) else ("gain",)
    papers = ("paper", "diff") if any(row.paper for row in rows) else ()
    costs = ("params", "work/MP", "peak MB") if any(row.cost for row in rows) else ()
    names = list(dict.fromkeys(name for row in rows for name in (*row.baseline, *row.metrics)))
    head = ("setting", "model", *map(label, names), *gains, *papers, "s/MP", *costs)
    lines: list[tuple[str, ...]] = []
    shown: set[str] = set()
    for row in rows:
        if row.setting not in shown:
            shown.add(row.setting)
            figures = (row.setting, row.baseline_name, *_figures(row.baseline, names))
            lines.append(figures + ("",) * (len(head) - len(figures)))
        if row.model is not None:
            cells = {"gain": _signed(row.gain), "worst": _signed(row.worst_gain)}
            if row.paper:
                cells["paper"] = f"{row.paper.psnr:.2f} {row.paper.method}"
                cells["diff"] = f"{row.difference:+.2f}"
            cells["s/MP"] = f"{row.seconds_per_megapixel:.2f}"
            if row.cost:
                cells["params"] = in_millions(row.cost.parameters)
                cells["work/MP"] = in_billions(row.cost.gmac_per_megapixel)
                memory = row.cost.peak_memory_mb
                cells["peak MB"] = "" if memory is None else f"{memory:.0f}"
            figures = (row.setting, row.model, *_figures(row.metrics, names))
            lines.append(figures + tuple(cells.get(name, "") for name in head[len(figures) :]))
    return Table("  ".join(heading(rows)), head, tuple(lines))


def heading(rows: Sequence[Row]) -> tuple[str, ...]:
    """Set, task, protocol, number of pictures and seed of one table."""
    first, images = rows[0], len(rows[0].scores)
    pictures = f"{images} picture{'s' if images > 1 else ''}"
    return first.dataset, first.task, first.protocol, pictures, f"seed {first.seed}"


def label(metric: str) -> str:
    """What tables call a metric: "PSNR-Y" for "psnr_y"."""
    kind, _, variant = metric.partition("_")
    return kind.upper() + (f"-{variant.upper() if len(variant) == 1 else variant}" if variant else "")


def figure(metric: str, value: float) -> str:
    """A metric with the digits that are usual for it."""
    return f"{value:.{2 if metric.startswith('psnr') else 4}f}"


def in_millions(parameters: int) -> str:
    """A number of parameters as tables print it: "0.57 M"."""
    return f"{parameters / 1e6:.2f} M"


def in_billions(gmac: float | None) -> str:
    """Work as tables print it: "66 G", "3.1 G"; nothing for None."""
    return "" if gmac is None else f"{gmac:.{0 if gmac >= 10 else 1}f} G"


def _gain(metrics: Metrics, baseline: Metrics) -> float | None:
    name = next(iter(metrics), None)
    return None if name is None else metrics[name] - baseline[name]


def _signed(gain: float | None) -> str:
    return "" if gain is None or not math.isfinite(gain) else f"{gain:+.2f}"


def _figures(metrics: Metrics, names: Sequence[str]) -> tuple[str, ...]:
    return tuple(figure(name, metrics[name]) if name in metrics else "" for name in names)


def _means(all_metrics: Sequence[Metrics]) -> Metrics:
    return {name: fmean(metrics[name] for metrics in all_metrics) for name in all_metrics[0]}


def _finite(metrics: Metrics) -> dict[str, float | None]:
    return {name: _rounded(value, 6) for name, value in metrics.items()}


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None or not math.isfinite(value) else round(value, digits)
