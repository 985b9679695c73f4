"""Rows as CSV for spreadsheets and scripts, and as tables of GitHub-flavoured Markdown."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence

from enhance_cli.bench.report import Row, grouped, heading, table
from enhance_cli.bench.reports.text import legible, number, one_line

METRICS = ("psnr", "ssim", "psnr_b", "psnr_y", "ssim_y")
"""Always columns; metrics beyond these follow in the order of their names."""
_MARKUP = re.compile(r"([\\`*_{}\[\]<>&|~#])")


def to_csv(rows: Sequence[Row]) -> str:
    """One line for each row.

    The columns are the same for every run that measures the same metrics. Figures have at most six decimals,
    a point in every locale, and `inf` for equal pictures; what is not known is empty.
    """
    others = {name for row in rows for name in (*row.baseline, *row.metrics)} - set(METRICS)
    metrics = (*METRICS, *sorted(others))
    columns = [
        *("task", "dataset", "protocol", "setting", "model", "weights", "images", "seed", *metrics),
        *("baseline_name", *(f"baseline_{name}" for name in metrics)),
        *("gain", "worst_gain", "paper_method", "paper_psnr", "diff", "seconds_per_megapixel"),
        *("parameters", "gmac_per_megapixel", "peak_memory_mb"),
    ]
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(_line(row, metrics) for row in rows)
    return text.getvalue()


def to_markdown(rows: Sequence[Row]) -> str:
    """The tables of the terminal, one below a heading for each task on each set."""
    lines = []
    for group in grouped(rows):
        content = table(group)
        rule = ["---"] * 2 + ["---:"] * (len(content.head) - 2)
        lines += [f"## {', '.join(map(_escaped, heading(group)))}", "", _cells(content.head)]
        lines += [f"| {' | '.join(rule)} |", *map(_cells, content.lines), ""]
    return "\n".join(lines)


def _line(row: Row, metrics: Sequence[str]) -> dict[str, str]:
    measured, baseline, paper, cost = row.metrics, row.baseline, row.paper, row.cost
    words = ("task", "dataset", "protocol", "setting", "model", "weights", "seed")
    told = {word: getattr(row, word) for word in words}
    return {
        **{word: "" if value is None else legible(str(value)) for word, value in told.items()},
        "images": str(len(row.scores)),
        **{name: number(measured.get(name)) for name in metrics},
        "baseline_name": row.baseline_name,
        **{f"baseline_{name}": number(baseline.get(name)) for name in metrics},
        "gain": number(row.gain),
        "worst_gain": number(row.worst_gain),
        "paper_method": paper.method if paper else "",
        "paper_psnr": number(paper.psnr) if paper else "",
        "diff": number(row.difference),
        "seconds_per_megapixel": number(row.seconds_per_megapixel),
        "parameters": str(cost.parameters) if cost else "",
        "gmac_per_megapixel": number(cost.gmac_per_megapixel, 3) if cost else "",
        "peak_memory_mb": number(cost.peak_memory_mb, 3) if cost else "",
    }


def _cells(cells: Sequence[str]) -> str:
    return f"| {' | '.join(map(_escaped, cells))} |"


def _escaped(text: str) -> str:
    return _MARKUP.sub(r"\\\1", one_line(text))
