"""One page of HTML with everything inside it: tables, plots and pictures of a run."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Sequence
from importlib.resources import files
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import enhance_cli
from enhance_cli.bench.report import (
    Row,
    figure,
    gain,
    grouped,
    heading,
    in_billions,
    in_millions,
    label,
    table,
)
from enhance_cli.bench.reports import plots
from enhance_cli.bench.reports.markup import Markup, join, tag
from enhance_cli.bench.reports.pictures import CROP, QUALITY, WHOLE, Album, Kept, Shelf, Shelves, key
from enhance_cli.imaging.files import write_atomic

if TYPE_CHECKING:
    from enhance_cli.bench.gates import Offence
    from enhance_cli.bench.plan import Work
    from enhance_cli.bench.run import Shown

PAGE = "index.html"
MAX_BYTES = 15_000_000
"""Pictures are left out where the page would be larger."""
OPEN_UP_TO = 20
"""Bars of more pictures are folded away at first."""
ENLARGED = 3
"""How many pixels of the screen one of a crop takes."""


class HtmlReport:
    """Collects pictures while the benchmark runs, and writes the page at its end."""

    def __init__(self, folder: Path, *, title: str = "Benchmark", command: str = "") -> None:
        self._folder, self._title, self._command = folder, title, command
        self._album = Album()

    def on_shown(self, work: Work, shown: Shown) -> None:
        """Take note of the pictures behind one score; of each row a few are kept, small and compressed."""
        self._album.show(work, shown)

    def finish(self, rows: Sequence[Row], offences: Sequence[Offence] = ()) -> Path:
        """Write the page whole, or not at all, and tell where; WriteError."""
        rows = tuple(rows)
        bare = self._page(rows, offences, {})
        page = self._page(rows, offences, self._album.fitting(MAX_BYTES - len(bare.encode())))
        path = self._folder / PAGE
        write_atomic(path, page.encode())
        return path

    def _page(self, rows: Sequence[Row], offences: Sequence[Offence], shelves: Shelves) -> str:
        groups, numbers = grouped(rows), count(1)
        sections = [
            _run(self._command, rows),
            *([_missed(offences)] if offences else []),
            *(_group(group, f"set{next(numbers)}", shelves) for group in groups),
            *([_networks(rows)] if any(row.model for row in rows) else []),
            *([_sources(rows)] if any(row.paper for row in rows) else []),
        ]
        links = [tag("li", tag("a", _name(group), href=f"#set{i}")) for i, group in enumerate(groups, 1)]
        body = tag(
            "body",
            tag("header", tag("h1", self._title), tag("nav", tag("ul", *links), aria_label="Test sets")),
            tag("main", *sections),
            tag("footer", tag("p", f"Made by enhance {enhance_cli.__version__}.")),
            _script(),
        )
        return f"<!DOCTYPE html>\n{tag('html', _head(self._title), body, lang='en')}\n"


def _head(title: str) -> Markup:
    # The page needs nothing from anywhere, and no name in it may fetch or run anything.
    digest = base64.b64encode(hashlib.sha256(_resource("page.js").encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    return tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        tag("style", Markup(_resource("page.css"))),
    )


def _script() -> Markup:
    return tag("script", Markup(_resource("page.js")))


def _resource(name: str) -> str:
    return files("enhance_cli.bench.reports").joinpath(name).read_text(encoding="utf-8")


def _name(rows: Sequence[Row]) -> str:
    return f"{rows[0].dataset}, {rows[0].task}"


def _run(command: str, rows: Sequence[Row]) -> Markup:
    facts = {
        "Protocols": ", ".join(dict.fromkeys(row.protocol for row in rows)),
        "Seed": ", ".join(dict.fromkeys(str(row.seed) for row in rows)),
    }
    told = [join([tag("dt", name), tag("dd", fact)]) for name, fact in facts.items() if fact]
    if command:
        told.insert(0, join([tag("dt", "Command"), tag("dd", _box("Command", tag("code", command)))]))
    return tag("section", tag("h2", "What was run"), tag("dl", *told))


def _missed(offences: Sequence[Offence]) -> Markup:
    items = [tag("li", str(offence)) for offence in offences]
    return tag("section", tag("h2", "Gates that were missed"), tag("ul", *items), class_="missed")


def _group(rows: Sequence[Row], id: str, shelves: Shelves) -> Markup:
    _, _, protocol, pictures, _ = heading(rows)
    kept = [row for row in rows if key(row) in shelves]
    galleries = [_gallery(row, shelves[key(row)], open=row is kept[0]) for row in kept]
    told = (
        f"The whole pictures are JPEG of quality {QUALITY}, at most {WHOLE} pixels wide or high. The crops "
        f"of {CROP} x {CROP} pixels are without loss, {ENLARGED} times enlarged, from where the network lost "
        "most (in pictures of the least gain) or gained most."
    )
    return tag(
        "section",
        tag("h2", _name(rows)),
        tag("p", f"{pictures}, degraded and measured by the protocol {protocol}."),
        _summary(rows),
        plots.over_settings(rows) or Markup(),
        tag("h3", "Each picture"),
        *(_each_picture(part) for part in _by_setting(rows)),
        *(
            [tag("h3", "Worst and best pictures"), tag("p", told, class_="note"), *galleries]
            if galleries
            else []
        ),
        id=id,
    )


def _by_setting(rows: Sequence[Row]) -> list[list[Row]]:
    parts: dict[str, list[Row]] = {}
    for row in rows:
        parts.setdefault(row.setting, []).append(row)
    return list(parts.values())


def _summary(rows: Sequence[Row]) -> Markup:
    content = table(rows)
    return _table(f"{_name(rows)}: means over the pictures", content.head, content.lines, words=2)


def _table(caption: str, head: Sequence[str], lines: Sequence[Sequence[str]], *, words: int) -> Markup:
    """A table whose first `words` columns are words, and the rest figures; it scrolls in a box of its own."""
    top = tag("tr", *(tag("th", name, scope="col", class_=_kind(i, words)) for i, name in enumerate(head)))
    body = [
        tag("tr", *(tag("td", cell, class_=_kind(i, words)) for i, cell in enumerate(line))) for line in lines
    ]
    return _box(caption, tag("table", tag("caption", caption), tag("thead", top), tag("tbody", *body)))


def _kind(column: int, words: int) -> str | None:
    return None if column < words else "figure"


def _box(name: str, content: Markup) -> Markup:
    # With a place in the order of tabs, so that the keyboard can scroll it.
    return tag("div", content, class_="scroll", tabindex=0, role="region", aria_label=name)


def _each_picture(rows: Sequence[Row]) -> Markup:
    return tag(
        "details",
        tag("summary", rows[0].setting),
        plots.bars(rows),
        open=len(rows[0].scores) <= OPEN_UP_TO,
    )


def _gallery(row: Row, shelf: Shelf, *, open: bool) -> Markup:
    ends = [
        join([tag("h4", title), tag("div", *(_picture(row, kept) for kept in ones), class_="gallery")])
        for title, ones in (("Least gain", shelf.worst), ("Most gain", shelf.best))
        if ones
    ]
    return tag("details", tag("summary", f"{row.setting}, {row.model}"), *ends, open=open)


def _picture(row: Row, kept: Kept) -> Markup:
    score = next(score for score in row.scores if score.image == kept.image)
    metric = next(iter(score.metrics))
    model = row.model or ""
    before, after = (figure(metric, values[metric]) for values in (score.baseline, score.metrics))
    told = f"{label(metric)}: {row.baseline_name} {before}, {model} {after}"
    wholes = zip((row.baseline_name, model), kept.wholes, strict=True)
    crops = zip((row.baseline_name, model, "original"), kept.crops, strict=True)
    enlarged = (kept.crop_size[0] * ENLARGED, kept.crop_size[1] * ENLARGED)
    return tag(
        "article",
        tag("h5", f"{kept.image} {gain(score.metrics, score.baseline):+.2f} dB"),
        tag("p", told, class_="note"),
        tag(
            "div",
            *(_figure(name, f"{kept.image}, {name}", _jpeg(data), kept.size) for name, data in wholes),
            class_="compare",
        ),
        tag(
            "div",
            *(_figure(name, f"crop of {kept.image}, {name}", _png(data), enlarged) for name, data in crops),
            class_="crops",
        ),
    )


def _figure(name: str, alt: str, uri: str, size: tuple[int, int]) -> Markup:
    picture = tag("img", src=uri, alt=alt, width=size[0], height=size[1], decoding="async")
    return tag("figure", picture, tag("figcaption", name))


def _uri(kind: str) -> Callable[[bytes], str]:
    return lambda data: f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


_jpeg, _png = _uri("jpeg"), _uri("png")


def _networks(rows: Sequence[Row]) -> Markup:
    head = ("network", "sha256 of its weights", "parameters", "work per output megapixel")
    lines = dict.fromkeys(
        (
            row.model,
            row.weights or "",
            in_millions(row.cost.parameters) if row.cost else "",
            f"{in_billions(work)} multiplications"
            if row.cost and (work := row.cost.gmac_per_megapixel)
            else "",
        )
        for row in rows
        if row.model is not None
    )
    return tag("section", tag("h2", "Networks"), _table("Networks measured", head, list(lines), words=2))


def _sources(rows: Sequence[Row]) -> Markup:
    sources = dict.fromkeys(f"{row.paper.method}: {row.paper.source}" for row in rows if row.paper)
    items = [tag("li", source) for source in sources]
    return tag("section", tag("h2", "Where the papers' figures are from"), tag("ul", *items))
