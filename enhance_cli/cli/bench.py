"""`enhance bench`: measure networks on the test sets of the literature, beside doing nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import typer

from enhance_cli.cli.console import data, say
from enhance_cli.cli.options import (
    ArchOption,
    BackendOption,
    Debug,
    Device,
    Ensemble,
    Json,
    PrecisionOption,
    Quiet,
    Threads,
    Tile,
    arch_options,
)
from enhance_cli.errors import UsageError

if TYPE_CHECKING:
    from enhance_cli.bench.datasets import Dataset
    from enhance_cli.bench.plan import Choice, Work
    from enhance_cli.bench.report import Row, Table
    from enhance_cli.engine.settings import EngineSettings

Number = TypeVar("Number", int, float)


def bench(
    dataset: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Test set by its folder's name; repeat for several.",
            show_default="all found",
        ),
    ] = None,
    task: Annotated[
        Literal["sr", "dejpeg", "denoise", "deblur", "demosaic"] | None,
        typer.Option(help="What to measure.", show_default="what the set is usual for"),
    ] = None,
    scale: Annotated[str | None, typer.Option(metavar="N,...", help="For sr.", show_default="2,3,4")] = None,
    quality: Annotated[
        str | None, typer.Option(metavar="N,...", help="For dejpeg.", show_default="10,20,30,40")
    ] = None,
    protocol: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="How to degrade and measure.", show_default="the papers' usual one"
        ),
    ] = None,
    edges: Annotated[
        Literal["mirror", "replicate"],
        typer.Option(help="Borders when shrinking for sr, as MATLAB does or did."),
    ] = "mirror",
    seed: Annotated[int, typer.Option(min=0, help="Of the first picture's noise or blur.")] = 0,
    sigma: Annotated[
        str | None,
        typer.Option(metavar="N,...", help="For denoise, on the 0..255 scale.", show_default="15,25,50"),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Shipped model; repeat for several. 'none' gives the baselines alone.",
            show_default="the default of each task",
        ),
    ] = None,
    weights: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE", help="Weights file, ours or the authors'; repeat for several.", show_default=False
        ),
    ] = None,
    arch_option: ArchOption = None,
    data_root: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder that holds the test sets.", show_default="$ENHANCE_DATA"),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Only the first pictures of each set.", show_default=False)
    ] = None,
    list_sets: Annotated[bool, typer.Option("--list", help="Show the test sets found and stop.")] = False,
    device: Device = "auto",
    precision: PrecisionOption = "auto",
    backend: BackendOption = "auto",
    tile: Tile = None,
    ensemble: Ensemble = False,
    threads: Threads = None,
    json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Measure networks on test sets, beside doing nothing, by the protocols of the papers."""
    from enhance_cli.bench import datasets

    root = datasets.data_root(data_root)
    sets = datasets.choose(dataset or [], root, limit=limit)
    if list_sets:
        return _print_sets(sets)

    from enhance_cli.bench.plan import Choice, plan
    from enhance_cli.bench.protocols.choice import Values
    from enhance_cli.engine.settings import EngineSettings

    values = Values(
        scales=_numbers("--scale", scale, int),
        qualities=_numbers("--quality", quality, int),
        sigmas=_numbers("--sigma", sigma, float),
        protocol=protocol,
        edges=edges,
    )
    choice = Choice(
        task=task,
        values=values,
        models=tuple(model or ()),
        weights=tuple(weights or ()),
        options=arch_options(arch_option),
    )
    works = plan(sets, choice, named=bool(dataset))
    engine = EngineSettings(
        device=device, precision=precision, backend=backend, tile=tile, ensemble=ensemble, threads=threads
    )
    if not quiet:
        _say_what_is_missing(works, choice)
    rows = _measure(works, engine, seed, show=not quiet and sys.stderr.isatty())
    (_print_json if json else _print_tables)(rows)


def _numbers(flag: str, text: str | None, kind: Callable[[str], Number]) -> tuple[Number, ...]:
    """Take "10,20" apart; nothing for None."""
    try:
        return tuple(kind(part) for part in text.split(",")) if text else ()
    except ValueError:
        raise UsageError(f"{flag} {text} is not a list of numbers; write it like 10,20") from None


def _say_what_is_missing(works: Sequence[Work], choice: Choice) -> None:
    if choice.models or choice.weights:
        return
    missing = {f"{work.setting.task} {work.setting.name}": None for work in works if work.net is None}
    if missing:
        say(f"no weights are shipped for {', '.join(missing)}: the baseline alone is shown")


def _measure(works: Sequence[Work], engine: EngineSettings, seed: int, *, show: bool) -> Iterator[Row]:
    """Yield the rows; `show` a bar on stderr over all pictures of all rows while they are measured."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from enhance_cli.bench.run import run

    progress = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=False,  # else rich would send our data to stderr
        disable=not show,
    )
    bar = progress.add_task("", total=sum(len(work.dataset.images) for work in works))

    def on_picture(work: Work, done: int) -> None:
        name = work.net.name if work.net else work.setting.baseline
        progress.update(bar, advance=1, description=f"{work.dataset.name} {work.setting.name} {name}")

    rows = run(works, engine, on_picture, seed=seed)
    while True:
        # The bar is gone whenever a row is printed: both may be on one terminal.
        with progress:
            row = next(rows, None)
        if row is None:
            return
        yield row


def _print_json(rows: Iterator[Row]) -> None:
    for row in rows:
        data(row.to_json())


def _print_tables(rows: Iterator[Row]) -> None:
    """One table per set and task, each as soon as it is complete."""
    from enhance_cli.bench.report import table

    for _, of_one in groupby(rows, key=lambda row: (row.dataset, row.task)):
        _print_table(table(list(of_one)))


def _print_sets(sets: Sequence[Dataset]) -> None:
    for found in sets:
        tasks, folder = ", ".join(found.tasks) or "-", found.images[0].parent
        data(f"{found.name:<12}{tasks:<12}{len(found.images):>5}  {folder}")


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
