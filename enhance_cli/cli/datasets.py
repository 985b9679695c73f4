"""`enhance datasets`: the test sets of the benchmark, which are there and how the others get there."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from enhance_cli.cli import console

if TYPE_CHECKING:
    from enhance_cli.bench.datasets import Listed
    from enhance_cli.bench.download import OnBytes

app = typer.Typer(no_args_is_help=True, help="Show the test sets that are there; fetch others.")

Json = Annotated[bool, typer.Option("--json", help="Write one JSON object per line.")]
DataRoot = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Folder that holds the test sets.", show_default="$ENHANCE_DATA"),
]


def _names() -> list[str]:
    from enhance_cli.bench.datasets import KNOWN

    return list(KNOWN)


@app.command("list")
def list_datasets(data_root: DataRoot = None, json: Json = False) -> None:
    """List the test sets: where they are, how many of their pictures, and which were not found."""
    from enhance_cli.bench.datasets import data_root as find_root
    from enhance_cli.bench.datasets import listing

    show(listing(find_root(data_root)), json=json)


def show(sets: Sequence[Listed], *, json: bool = False) -> None:
    """Columns or JSON lines on stdout, and what is wrong with a set on stderr."""
    from enhance_cli.bench.datasets import HEAD

    if json:
        for one in sets:
            console.data(one.to_json())
        return
    rows = [HEAD, *(one.cells for one in sets)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        console.data("  ".join(cells).rstrip())
    for one in sets:
        if one.problem:
            console.say(f"warning: {one.problem}")


@app.command()
def get(
    name: Annotated[str, typer.Argument(autocompletion=_names, show_default=False, help="Name of the set.")],
    data_root: DataRoot = None,
    url: Annotated[
        str | None, typer.Option(metavar="URL", help="Archive to take it from.", show_default=False)
    ] = None,
    sha256: Annotated[
        str | None, typer.Option(metavar="HEX", help="Checksum of that archive.", show_default=False)
    ] = None,
) -> None:
    """Fetch a test set, going on where the last attempt stopped."""
    from enhance_cli.bench.datasets import usual_root
    from enhance_cli.bench.download import get as fetch

    with _bar(name) as on_bytes:
        dataset = fetch(name, usual_root(data_root), url=url, sha256=sha256, on_bytes=on_bytes)
    console.say(f"{dataset.name}: {len(dataset.images)} pictures in {dataset.folder}")
    if dataset.problem:
        console.say(f"warning: {dataset.problem}")


@contextmanager
def _bar(name: str) -> Iterator[OnBytes]:
    """A bar on stderr, on terminals only."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task(name, total=None)
        yield lambda done, total: progress.update(bar, completed=done, total=total)
