"""One page of HTML with everything inside it: tables, plots and pictures of a run."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2

import enhance_cli
from enhance_cli.bench.report import Row, figure, grouped, heading, in_billions, in_millions, label, table
from enhance_cli.bench.reports import pictures, plots
from enhance_cli.bench.reports.pictures import Gallery, key
from enhance_cli.bench.reports.text import legible
from enhance_cli.imaging.files import write_atomic

if TYPE_CHECKING:
    from enhance_cli.bench.gates import MissedGate
    from enhance_cli.bench.plan import PlannedRow
    from enhance_cli.bench.run import ShownPictures

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
        self._gallery: Gallery = {}

    def on_shown(self, planned: PlannedRow, shown: ShownPictures) -> None:
        """Take note of the pictures behind one score; of each row a few are kept, small and compressed."""
        pictures.collect(self._gallery, planned, shown)

    def finish(self, rows: Sequence[Row], missed: Sequence[MissedGate] = ()) -> Path:
        """Write the page whole, or not at all, and tell where; raises WriteError."""
        bare = self._page(rows, missed, {})
        page = self._page(rows, missed, pictures.fitting(self._gallery, MAX_BYTES - len(bare.encode())))
        path = self._folder / PAGE
        write_atomic(path, page.encode())
        return path

    def _page(self, rows: Sequence[Row], missed: Sequence[MissedGate], gallery: Gallery) -> str:
        script = _resource("page.js")
        # Whatever is not markup already is escaped, so no name can become a tag.
        environment = jinja2.Environment(
            autoescape=True,
            trim_blocks=True,
            lstrip_blocks=True,
            undefined=jinja2.StrictUndefined,
            finalize=lambda value: value if hasattr(value, "__html__") else legible(str(value)),
        )
        environment.filters |= {"base64": lambda data: base64.b64encode(data).decode(), "label": label}
        page = environment.from_string(_resource("page.html")).render(
            title=self._title,
            command=self._command,
            facts={
                "Protocols": dict.fromkeys(row.protocol for row in rows),
                "Seed": dict.fromkeys(str(row.seed) for row in rows),
            },
            missed=missed,
            groups=[_group(group, gallery) for group in grouped(rows)],
            networks=list(dict.fromkeys(_network(row) for row in rows if row.model is not None)),
            sources=dict.fromkeys(f"{row.paper.method}: {row.paper.source}" for row in rows if row.paper),
            version=enhance_cli.__version__,
            style=_resource("page.css"),
            script=script,
            script_digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
            figure=figure,
            plots=plots,
            pictures=pictures,
            OPEN_UP_TO=OPEN_UP_TO,
            ENLARGED=ENLARGED,
        )
        return re.sub(r">\s+<", "><", page.strip()) + "\n"


def _resource(name: str) -> str:
    return files("enhance_cli.bench.reports").joinpath(name).read_text(encoding="utf-8")


def _group(rows: Sequence[Row], gallery: Gallery) -> dict[str, Any]:
    """What the page shows of one task on one set."""
    dataset, task, protocol, count, _ = heading(rows)
    settings = dict.fromkeys(row.setting for row in rows)
    return {
        "name": f"{dataset}, {task}",
        "protocol": protocol,
        "pictures": count,
        "n_images": len(rows[0].scores),
        "table": table(rows),
        "plot": plots.plot_of(rows),
        "bars": {name: plots.bars_of([row for row in rows if row.setting == name]) for name in settings},
        "galleries": [(row, gallery[key(row)]) for row in rows if key(row) in gallery],
    }


def _network(row: Row) -> tuple[str, str, str, str]:
    if row.cost is None:
        return row.model or "", row.weights or "", "", ""
    work = in_billions(row.cost.gmac_per_megapixel)
    parameters = in_millions(row.cost.parameters)
    return row.model or "", row.weights or "", parameters, f"{work} multiplications" if work else ""
