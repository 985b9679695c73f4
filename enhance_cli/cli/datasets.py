"""`enhance datasets`: the test sets of the benchmark, which are there and how the others get there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from enhance_cli.cli import console
from enhance_cli.cli.progress import progress_bar
from enhance_cli.cli.tables import print_columns

if TYPE_CHECKING:
    from enhance_cli.bench.datasets.find import Dataset

app = typer.Typer(no_args_is_help=True, help="Show the test sets that are there; fetch others.")

Json = Annotated[bool, typer.Option("--json", help="Write one JSON object per line.")]
DataRoot = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Folder that holds the test sets.", show_default="$ENHANCE_DATA"),
]


def _names() -> list[str]:
    from enhance_cli.bench.datasets.known import KNOWN_SETS

    return list(KNOWN_SETS)


@app.command("list")
def list_datasets(data_root: DataRoot = None, json: Json = False) -> None:
    """List the test sets: where they are, how many of their pictures, and which were not found."""
    from enhance_cli.bench.datasets.find import data_root as find_root
    from enhance_cli.bench.datasets.listing import listing

    show(listing(find_root(data_root)), json=json)


def show(sets: Sequence[Dataset], *, json: bool = False) -> None:
    """Columns or JSON lines on stdout, and what is wrong with a set on stderr."""
    from enhance_cli.bench.datasets.listing import HEAD, cells, to_json

    if json:
        for one in sets:
            console.data(to_json(one))
        return
    print_columns([HEAD, *map(cells, sets)])
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
    """Fetch a test set, check it and unpack it."""
    from rich.progress import DownloadColumn, TransferSpeedColumn

    from enhance_cli.bench.datasets.find import usual_root
    from enhance_cli.bench.download import get as fetch

    with progress_bar(DownloadColumn(), TransferSpeedColumn()) as progress:
        bar = progress.add_task(name, total=None)
        dataset = fetch(
            name,
            usual_root(data_root),
            url=url,
            sha256=sha256,
            on_bytes=lambda done, total: progress.update(bar, completed=done, total=total),
        )
    console.say(f"{dataset.name}: {len(dataset.images)} pictures in {dataset.folder}")
    if dataset.problem:
        console.say(f"warning: {dataset.problem}")
