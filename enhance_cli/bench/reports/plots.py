"""What the plots of a page show, ready to be drawn: lines over the settings, and bars for each picture."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from enhance_cli.bench.report import Row, figure, label

N_COLOURS = 6
"""Classes c0 ... c5 of the style sheet; the baseline's is "c"."""
WIDTH, HEIGHT = 360, 220
LEFT, RIGHT, TOP, BOTTOM = 38, 12, 26, 28
MOST_BARS = 100
"""Pictures of a setting that get bars."""
STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50)
"""Decibels from one line of the grid to the next."""
BAR, *SHAPES = (
    "m-4-1.5h8v3h-8z",
    "m-3.5 0a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0-7 0z",
    "m-3.2-3.2h6.4v6.4h-6.4z",
    "m0-4.4l4.2 7.4h-8.4z",
)
"""Outlines of the marks for doing nothing and for networks, so that colour is not all that tells."""

Point = tuple[float, float, str]
"""x and y in the plot, and what is told of it."""


@dataclass(frozen=True)
class Line:
    """One network over the settings, or doing nothing, by the leading metric."""

    name: str
    colour: str
    """Class of the style sheet."""
    mark: str
    points: tuple[Point, ...]
    papers: tuple[Point, ...]

    @property
    def path(self) -> str:
        """Through all points, as SVG has it."""
        return "M" + "L".join(f"{x} {y}" for x, y, _ in self.points)


@dataclass(frozen=True)
class Plot:
    """The leading metric of every network at each setting."""

    metric: str
    settings: tuple[tuple[float, str], ...]
    """Where each has its name, from left to right."""
    ticks: tuple[tuple[float, str], ...]
    """Heights of the grid's lines, and their names."""
    lines: tuple[Line, ...]


def plot_of(rows: Sequence[Row]) -> Plot | None:
    """Doing nothing, then every network; "net-x2" at x2 and "net-x3" at x3 are one line.

    None if there is one setting or nothing finite.
    """
    metric, settings = next(iter(rows[0].baseline)), list(dict.fromkeys(row.setting for row in rows))
    measured = {rows[0].baseline_name: {row.setting: row.baseline[metric] for row in rows}}
    papers: dict[str, dict[str, float]] = {}
    for row in rows:
        if row.model is not None:
            measured.setdefault(line_name(row), {})[row.setting] = row.metrics[metric]
        if row.paper:
            papers.setdefault(line_name(row), {})[row.setting] = row.paper.psnr
    values = [v for line in (*measured.values(), *papers.values()) for v in line.values() if math.isfinite(v)]
    if len(settings) < 2 or not values:
        return None
    ticks = nice_ticks(min(values), max(values))
    across = {
        one: round(LEFT + (WIDTH - LEFT - RIGHT) / len(settings) * (number + 0.5), 1)
        for number, one in enumerate(settings)
    }

    def y(value: float) -> float:
        return round(TOP + (HEIGHT - TOP - BOTTOM) * (ticks[-1] - value) / (ticks[-1] - ticks[0]), 1)

    def points(name: str, line: Mapping[str, float], told: str) -> tuple[Point, ...]:
        return tuple(
            (x, y(line[at]), f"{name} {at}{told}: {line[at]:.2f} dB")
            for at, x in across.items()
            if math.isfinite(line.get(at, math.nan))
        )

    lines = tuple(
        Line(
            name,
            colour_of(number),
            SHAPES[(number - 1) % len(SHAPES)] if number else BAR,
            points(name, line, ""),
            points(name, papers.get(name, {}), ", paper"),
        )
        for number, (name, line) in enumerate(measured.items())
    )
    named_ticks = tuple((y(tick), f"{tick:g}") for tick in ticks)
    return Plot(label(metric), tuple((x, at) for at, x in across.items()), named_ticks, lines)


def line_name(row: Row) -> str:
    """The network's name without the setting it was made for; the ensemble keeps its "+"."""
    plus = "+" * row.ensemble
    name = (row.model or row.baseline_name).removesuffix(plus)
    short = name.removesuffix(row.setting).rstrip("-_. ")
    return (short if short and name.endswith(row.setting) else name) + plus


def colour_of(number: int) -> str:
    """Class of the style sheet for line `number`, of which 0 is doing nothing."""
    return f"c{(number - 1) % N_COLOURS}" if number else "c"


def nice_ticks(low: float, high: float) -> list[float]:
    """At most seven round numbers from below `low` to above `high`."""
    step = next((step for step in STEPS if (high - low) / step <= 5), STEPS[-1])
    first, last = math.floor(low / step), math.ceil(high / step)
    return [step * i for i in range(first, max(last, first + 1) + 1)]


@dataclass(frozen=True)
class Bars:
    """For every picture of one setting a bar for doing nothing and for each network."""

    metric: str
    low: int
    """Decibels at which bars begin."""
    n_left_out: int
    pictures: list[tuple[str, list[tuple[str, str, float]]]]
    """By picture: the colour of each bar, the text beside it, and its length in percent of the longest."""


def bars_of(rows: Sequence[Row]) -> Bars:
    """The bars of the rows of one setting."""
    metric, networks = next(iter(rows[0].baseline)), [row for row in rows if row.model is not None]
    names = [rows[0].baseline_name, *(row.model for row in networks)]
    values = {
        score.image: [score.baseline[metric], *(row.scores[number].metrics[metric] for row in networks)]
        for number, score in enumerate(rows[0].scores[:MOST_BARS])
    }
    finite = [value for line in values.values() for value in line if math.isfinite(value)] or [0.0]
    low, high = math.floor(min(finite) - 1), max(finite)

    def bar(number: int, value: float) -> tuple[str, str, float]:
        share = min(max((value - low) / (high - low), 0.0), 1.0) if math.isfinite(value) else 1.0
        return colour_of(number), f"{names[number]} {figure(metric, value)}", 100 * share

    pictures = [(image, [bar(*one) for one in enumerate(line)]) for image, line in values.items()]
    return Bars(label(metric), low, len(rows[0].scores) - len(pictures), pictures)
