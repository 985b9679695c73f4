"""Tables on stdout: of the benchmark, and plain columns for lists."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from enhance_cli.cli.console import data

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table as RichTable

    from enhance_cli.bench.report import Row, Table

PLAIN_WIDTH = 1000
"""Columns of what is no terminal: nothing is wrapped or cut there."""
SPARE_COLUMNS = ("peak MB", "work/MP", "params", "s/MP")
"""Columns that a narrow terminal is spared, in this order."""


def print_columns(rows: Sequence[Sequence[str]]) -> None:
    """Rows of words in columns that are as wide as their longest word."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        data("  ".join(cells).rstrip())


def print_tables(rows: Iterable[Row]) -> Iterator[Row]:
    """One table per set and task, each as soon as it is complete."""
    from rich.console import Console

    from enhance_cli.bench.report import table

    console = Console() if sys.stdout.isatty() else Console(width=PLAIN_WIDTH)
    for _, of_one in groupby(rows, key=lambda row: (row.dataset, row.task)):
        group = list(of_one)
        print_table(table(group), console)
        yield from group


def print_table(content: Table, console: Console) -> None:
    """With rules on a terminal, and only as many columns as fit; elsewhere plain columns, all of them."""
    from rich.measure import Measurement

    left_out: set[str] = set()
    drawn = _drawn(content, left_out, rules=console.is_terminal)
    for name in SPARE_COLUMNS:
        options = console.options.update(width=PLAIN_WIDTH)
        if Measurement.get(console, options, drawn).maximum <= console.width:
            break
        left_out.add(name)
        drawn = _drawn(content, left_out, rules=console.is_terminal)
    console.print(content.title, markup=False, highlight=False, style="bold")
    console.print(drawn)
    console.print()


def _drawn(content: Table, left_out: set[str], *, rules: bool) -> RichTable:
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    drawn = RichTable(box=box.SIMPLE_HEAD if rules else None, pad_edge=False, collapse_padding=rules)
    kept = [number for number, name in enumerate(content.head) if name not in left_out]
    for number in kept:
        drawn.add_column(content.head[number], justify="left" if number < 2 else "right", no_wrap=True)
    for line in content.lines:
        drawn.add_row(*(Text(line[number]) for number in kept))
    return drawn
