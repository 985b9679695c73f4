"""Tables of the benchmark on a terminal, or in plain columns elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from enhance_cli.bench.report import Row, Table


def print_tables(rows: Iterator[Row]) -> Iterator[Row]:
    """One table per set and task, each as soon as it is complete."""
    from enhance_cli.bench.report import table

    for _, of_one in groupby(rows, key=lambda row: (row.dataset, row.task)):
        group = list(of_one)
        _print_table(table(group))
        yield from group


def _print_table(content: Table) -> None:
    """With rules on a terminal; elsewhere plain columns, never wrapped."""
    from rich import box
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    console = Console()
    shape = box.SIMPLE_HEAD if console.is_terminal else None
    drawn = RichTable(box=shape, pad_edge=False)
    for number, name in enumerate(content.head):
        drawn.add_column(name, justify="left" if number < 2 else "right", no_wrap=True)
    for line in content.lines:
        drawn.add_row(*(Text(cell) for cell in line))
    console.print(content.title, markup=False, highlight=False, style="bold")
    console.print(drawn, width=None if console.is_terminal else 1000, crop=False)
    console.print()
