"""Plots of decibels over seconds, as one SVG with a panel for each task."""

import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element, tostring

from child import REPO

sys.path.insert(0, str(REPO))

from enhance_cli.bench.reports.plots import nice_ticks

WIDTH, HEIGHT, COLUMNS = 320, 220, 3
LEFT, RIGHT, TOP, BOTTOM = 40, 14, 34, 34
NOTHING = 44
"""Room at the left for the input, which takes no time and has no place on a logarithmic axis."""
LINE = 12
"""From one name to the next."""
STYLE = """
svg { background: #fff; font: 11px system-ui, sans-serif; }
text { fill: #333; } .title { font-weight: 600; font-size: 12px; } .quiet { fill: #777; }
.grid { stroke: #e4e4e4; } .curve { stroke: #2a6fb0; stroke-width: 1.5; fill: none; }
.on { fill: #2a6fb0; } .off { fill: #fff; stroke: #b0602a; stroke-width: 1.5; } .input { fill: #777; }
"""


@dataclass(frozen=True)
class Point:
    name: str
    seconds: float
    decibels: float
    on_curve: bool
    """Whether nothing else is as fast and at least as good."""


@dataclass(frozen=True)
class Panel:
    title: str
    points: Sequence[Point]
    """By their seconds; the input, which takes none, comes first."""


def drawn(panels: Sequence[Panel], axis: str) -> str:
    """The file's text; `axis` names the horizontal axis."""
    seconds = [point.seconds for panel in panels for point in panel.points[1:]]
    decades = (math.floor(math.log10(min(seconds))), math.ceil(math.log10(max(seconds))))
    rows = math.ceil(len(panels) / COLUMNS)
    placed = [
        tag(
            "g",
            *_panel(panel, decades, axis),
            transform=f"translate({i % COLUMNS * WIDTH} {i // COLUMNS * HEIGHT})",
        )
        for i, panel in enumerate(panels)
    ]
    size = f"0 0 {COLUMNS * WIDTH} {rows * HEIGHT}"
    svg = tag("svg", tag("style", STYLE), *placed, xmlns="http://www.w3.org/2000/svg", viewBox=size)
    return tostring(svg, encoding="unicode") + "\n"


def tag(name: str, *children: Element | str, **attributes: object) -> Element:
    """One element; `class_` stands for `class`, `text_anchor` for `text-anchor`."""
    element = Element(name, {key.rstrip("_").replace("_", "-"): str(x) for key, x in attributes.items()})
    for child in children:
        if isinstance(child, str):
            element.text = child
        else:
            element.append(child)
    return element


def _panel(panel: Panel, decades: tuple[int, int], axis: str) -> list[Element]:
    ticks = nice_ticks(*(pick(one.decibels for one in panel.points) for pick in (min, max)))
    place = _Place(decades, ticks[0], ticks[-1])
    bottom = place.y(ticks[0])
    parts = [
        tag("text", panel.title, x=LEFT, y=14, class_="title"),
        tag("text", "dB", x=LEFT - 6, y=TOP - 8, text_anchor="end", class_="quiet"),
        tag("text", axis, x=WIDTH - RIGHT, y=HEIGHT - 4, text_anchor="end", class_="quiet"),
        tag("text", "0", x=str(place.x(0)), y=HEIGHT - 18, text_anchor="middle"),
    ]
    for tick in ticks:
        y = place.y(tick)
        parts.append(tag("path", d=f"M{LEFT} {y}H{WIDTH - RIGHT}", class_="grid"))
        parts.append(tag("text", f"{tick:g}", x=LEFT - 6, y=str(y + 4), text_anchor="end"))
    for decade in range(decades[0], decades[1] + 1):
        x = place.x(10.0**decade)
        parts.append(tag("path", d=f"M{x} {TOP}V{bottom}", class_="grid"))
        parts.append(tag("text", f"{10.0**decade:g}", x=str(x), y=HEIGHT - 18, text_anchor="middle"))
    curve = [f"{place.x(one.seconds)} {place.y(one.decibels)}" for one in panel.points if one.on_curve]
    parts.append(tag("path", d=f"M{'L'.join(curve)}", class_="curve"))
    return [*parts, *_marks(place, panel.points)]


@dataclass(frozen=True)
class _Place:
    """From seconds and decibels to a panel's coordinates."""

    decades: tuple[int, int]
    low: float
    high: float

    def x(self, seconds: float) -> float:
        if seconds == 0:
            return LEFT + NOTHING / 4
        share = (math.log10(seconds) - self.decades[0]) / (self.decades[1] - self.decades[0])
        return round(LEFT + NOTHING + share * (WIDTH - LEFT - NOTHING - RIGHT), 1)

    def y(self, decibels: float) -> float:
        share = (self.high - decibels) / (self.high - self.low)
        return round(TOP + share * (HEIGHT - TOP - BOTTOM), 1)


def _marks(place: _Place, points: Sequence[Point]) -> Iterator[Element]:
    """Dots and their names, where the curve does not pass: it rises from left to right."""
    free = math.inf
    for point in points:
        x, y = place.x(point.seconds), place.y(point.decibels)
        if not point.seconds:
            kind, name = "input", tag("text", point.name, x=str(x + 9), y=str(y + 4))
        elif point.on_curve:
            line = min(y - 4, free)
            free = line - LINE
            kind, name = "on", tag("text", point.name, x=str(x - 7), y=str(line), text_anchor="end")
        else:
            kind, name = "off", tag("text", point.name, x=str(x + 4), y=str(y + 17), text_anchor="end")
        yield tag("g", tag("circle", cx=str(x), cy=str(y), r="4", class_=kind), name)
