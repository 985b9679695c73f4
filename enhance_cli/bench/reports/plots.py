"""Plots of a page: lines over settings as inline SVG, and bars for each picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from enhance_cli.bench.report import Row, figure, label
from enhance_cli.bench.reports.markup import Markup, join, tag

COLOURS = 6
"""Classes c0 ... c5 of the style sheet; the baseline's is "c"."""
WIDTH, HEIGHT = 360, 220
LEFT, RIGHT, TOP, BOTTOM = 38, 12, 26, 28
MOST_BARS = 100
"""Pictures of a setting that get bars."""
_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50)


@dataclass(frozen=True)
class Series:
    """One network over the settings, or doing nothing."""

    name: str
    colour: str
    """Class of the style sheet."""
    mark: int
    """Number of its shape, so that colour is not all that tells."""
    points: dict[str, float]
    """The leading metric by setting."""
    papers: dict[str, float]


def series(rows: Sequence[Row]) -> tuple[Series, ...]:
    """Doing nothing, then every network; "net-x2" at x2 and "net-x3" at x3 are one."""
    metric = next(iter(rows[0].baseline))
    nothing = Series(rows[0].baseline_name, "c", 0, {row.setting: row.baseline[metric] for row in rows}, {})
    names = dict.fromkeys(series_name(row) for row in rows if row.model is not None)
    return (nothing, *(_series(number, name, metric, rows) for number, name in enumerate(names)))


def series_name(row: Row) -> str:
    """The network's name without the setting it was made for; the ensemble keeps its "+"."""
    plus = "+" * row.ensemble
    name = (row.model or row.baseline_name).removesuffix(plus)
    short = name.removesuffix(row.setting).rstrip("-_. ")
    return (short if short and name.endswith(row.setting) else name) + plus


def _series(number: int, name: str, metric: str, rows: Sequence[Row]) -> Series:
    own = [row for row in rows if row.model is not None and series_name(row) == name]
    return Series(
        name,
        f"c{number % COLOURS}",
        1 + number % 3,
        {row.setting: row.metrics[metric] for row in own},
        {row.setting: row.paper.psnr for row in own if row.paper},
    )


def legend(of: Sequence[Series]) -> Markup:
    """Names beside their marks."""
    items = [
        tag("li", tag("svg", _mark(one, 8, 6), viewBox="0 0 16 12", aria_hidden="true"), f" {one.name}")
        for one in of
    ]
    if any(one.papers for one in of):
        ring = tag("svg", _ring("c", 8, 6), viewBox="0 0 16 12", aria_hidden="true")
        items.append(tag("li", ring, " as the paper reports"))
    return tag("ul", *items, class_="legend")


def over_settings(rows: Sequence[Row]) -> Markup | None:
    """The leading metric of every network at each setting; None if there is one setting or nothing finite."""
    settings = list(dict.fromkeys(row.setting for row in rows))
    drawn = series(rows)
    values = [v for one in drawn for v in (*one.points.values(), *one.papers.values()) if math.isfinite(v)]
    if len(settings) < 2 or not values:
        return None
    metric = label(next(iter(rows[0].baseline)))
    ticks = nice_ticks(min(values), max(values))
    place = _Place(settings, ticks[0], ticks[-1])
    content = [*_axes(place, ticks, metric), *(_line(one, place) for one in drawn)]
    names = ", ".join(one.name for one in drawn)
    spoken = f"{metric} in dB over {', '.join(settings)}, of {names}; the figures are in the table above"
    picture = tag("svg", *content, viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img", aria_label=spoken)
    return tag("figure", picture, tag("figcaption", legend(drawn)), class_="plot")


def nice_ticks(low: float, high: float) -> list[float]:
    """At most seven round numbers from below `low` to above `high`."""
    step = next((step for step in _STEPS if (high - low) / step <= 5), _STEPS[-1])
    first, last = math.floor(low / step), math.ceil(high / step)
    return [step * i for i in range(first, max(last, first + 1) + 1)]


@dataclass(frozen=True)
class _Place:
    """From settings and decibels to the plot's coordinates."""

    settings: Sequence[str]
    low: float
    high: float

    def x(self, setting: str) -> float:
        wide = (WIDTH - LEFT - RIGHT) / len(self.settings)
        return round(LEFT + wide * (self.settings.index(setting) + 0.5), 1)

    def y(self, value: float) -> float:
        tall = HEIGHT - TOP - BOTTOM
        return round(TOP + tall * (self.high - value) / (self.high - self.low), 1)


def _axes(place: _Place, ticks: Sequence[float], metric: str) -> list[Markup]:
    drawn = [tag("text", f"{metric}, dB", x=2, y=11)]
    for tick in ticks:
        y = place.y(tick)
        drawn.append(tag("path", d=f"M{LEFT} {y}H{WIDTH - RIGHT}", class_="grid"))
        drawn.append(tag("text", f"{tick:g}", x=LEFT - 6, y=str(y + 4), text_anchor="end"))
    for setting in place.settings:
        x = place.x(setting)
        drawn.append(tag("text", setting, x=str(x), y=HEIGHT - 8, text_anchor="middle"))
    return drawn


def _line(one: Series, place: _Place) -> Markup:
    points = [
        (place.x(name), place.y(value), name, value)
        for name in place.settings
        if math.isfinite(value := one.points.get(name, math.nan))
    ]
    path = "M" + "L".join(f"{x} {y}" for x, y, _, _ in points) if points else None
    marks = [
        tag("g", tag("title", f"{one.name} {name}: {value:.2f} dB"), _mark(one, x, y))
        for x, y, name, value in points
    ]
    rings = [
        tag(
            "g",
            tag("title", f"{one.name} {name}, paper: {v:.2f} dB"),
            _ring(one.colour, place.x(name), place.y(v)),
        )
        for name, v in one.papers.items()
    ]
    return tag(
        "g", tag("path", d=path, class_="line") if path else Markup(), *marks, *rings, class_=one.colour
    )


def _mark(one: Series, x: float, y: float) -> Markup:
    shapes = (
        "m-4-1.5h8v3h-8z",
        "m-3.5 0a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0-7 0z",
        "m-3.2-3.2h6.4v6.4h-6.4z",
        "m0-4.4l4.2 7.4h-8.4z",
    )
    return tag("path", d=f"M{x} {y}{shapes[one.mark]}", class_=f"mark {one.colour}")


def _ring(colour: str, x: float, y: float) -> Markup:
    # Wider than every mark, so that it is seen around one of the same place.
    return tag("circle", cx=str(x), cy=str(y), r="5.8", class_=f"ring {colour}")


def bars(rows: Sequence[Row]) -> Markup:
    """For every picture of one setting a bar for doing nothing and for each network."""
    metric = next(iter(rows[0].baseline))
    drawn = series(rows)
    networks = [row for row in rows if row.model is not None]
    values = [
        [score.baseline[metric], *(row.scores[number].metrics[metric] for row in networks)]
        for number, score in enumerate(rows[0].scores[:MOST_BARS])
    ]
    finite = [value for line in values for value in line if math.isfinite(value)] or [0.0]
    low, high = math.floor(min(finite) - 1), max(finite)
    colours = {one.name: one.colour for one in drawn}
    names = [
        (rows[0].baseline_name, "c"),
        *((row.model or "", colours[series_name(row)]) for row in networks),
    ]
    items = []
    for score, line in zip(rows[0].scores, values, strict=False):
        lines = [
            _bar(name, colour, figure(metric, value), (value - low) / (high - low))
            for (name, colour), value in zip(names, line, strict=True)
        ]
        items.append(tag("li", tag("strong", score.image), tag("div", *lines)))
    left_out = len(rows[0].scores) - len(values)
    more = f" {left_out} more pictures are not shown here; --json lists them all." if left_out else ""
    told = tag("p", f"{label(metric)} in dB. Bars begin at {low} dB.{more}", class_="note")
    return join([told, tag("ol", *items, class_="bars")])


def _bar(name: str, colour: str, text: str, share: float) -> Markup:
    percent = 100 * min(max(share, 0.0), 1.0) if math.isfinite(share) else 100
    bar = tag("i", style=f"width:{percent:.1f}%", class_=colour)
    return tag("div", tag("span", bar, class_="track"), tag("span", f"{name} {text}"), class_="bar")
