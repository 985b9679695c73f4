"""`enhance bench`: measure networks on the test sets of the literature, beside doing nothing."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import typer

from enhance_cli.cli.console import data, error, say
from enhance_cli.cli.datasets import show as show_sets
from enhance_cli.cli.options import (
    ArchOption,
    BackendOption,
    Debug,
    Device,
    Ensemble,
    Json,
    MinPsnr,
    MinSsim,
    PrecisionOption,
    Quiet,
    Threads,
    Tile,
    arch_options,
)
from enhance_cli.cli.progress import progress_bar
from enhance_cli.cli.tables import print_tables
from enhance_cli.errors import ImageError, UsageError, WriteError
from enhance_cli.tasks import Task

if TYPE_CHECKING:
    from enhance_cli.bench.datasets.find import Dataset
    from enhance_cli.bench.plan import Choice, PlannedRow
    from enhance_cli.bench.protocols.choice import Values
    from enhance_cli.bench.report import Row

Number = TypeVar("Number", int, float)


def bench(
    dataset: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Test set by name, or any folder of pictures; repeat for several.",
            show_default="all found",
        ),
    ] = None,
    task: Annotated[
        Task | None,
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
            help="fast, default, best, photo or a name; repeatable. 'none' gives the baselines alone.",
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
    metric: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Another metric: ssim-flat, ssim-shrunk, lpips, dists, niqe; repeatable.",
            show_default=False,
        ),
    ] = None,
    input_folder: Annotated[
        Path | None,
        typer.Option("--input", metavar="DIR", help="Ready-made degraded pictures.", show_default=False),
    ] = None,
    reference_folder: Annotated[
        Path | None,
        typer.Option("--reference", metavar="DIR", help="Their clean pictures.", show_default=False),
    ] = None,
    data_root: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder that holds the test sets.", show_default="$ENHANCE_DATA"),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Only the first pictures of each set.", show_default=False)
    ] = None,
    baseline: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Fail (exit 4) where a figure is worse.", show_default=False),
    ] = None,
    tolerance: Annotated[
        float, typer.Option(metavar="DB", min=0, help="How much worse; a twentieth of it for SSIM.")
    ] = 0.01,
    update_baseline: Annotated[
        bool, typer.Option("--update-baseline", help="Write this run's figures to --baseline.")
    ] = False,
    min_psnr: MinPsnr = None,
    min_ssim: MinSsim = None,
    csv: Annotated[Path | None, typer.Option(metavar="FILE", help="Rows as CSV.", show_default=False)] = None,
    markdown: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Tables as Markdown.", show_default=False)
    ] = None,
    junit: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Rows and gates as JUnit XML.", show_default=False)
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="A page with tables, plots and pictures.", show_default=False),
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
    from enhance_cli.bench.datasets import find
    from enhance_cli.bench.datasets.listing import listing

    needed = input_folder is None and find.needs_root(dataset or [])
    root = find.data_root(data_root, needed=needed)
    if list_sets:
        return show_sets(listing(find.usual_root(data_root)), json=json)

    from enhance_cli.bench.gates import Gates, raise_if_any
    from enhance_cli.bench.outputs import Outputs
    from enhance_cli.bench.perceptual import extra_metrics
    from enhance_cli.bench.plan import Choice, plan
    from enhance_cli.bench.protocols.choice import Values
    from enhance_cli.bench.run import run
    from enhance_cli.engine.settings import EngineSettings

    if arch_option and not weights:
        raise UsageError("--arch-option needs --weights")
    values = Values(
        scales=_numbers("--scale", scale, int),
        qualities=_numbers("--quality", quality, int),
        sigmas=_numbers("--sigma", sigma, float),
        protocol=protocol,
        edges=edges,
        kernels=root,
    )
    if (input_folder is None) != (reference_folder is None):
        raise UsageError("--input and --reference belong together; give both")
    if dataset and input_folder is not None:
        raise UsageError("--dataset and --input are both given; leave one out")
    sets: tuple[Dataset, ...]
    if input_folder is not None and reference_folder is not None:
        sets = (find.pairs(input_folder, reference_folder, [_only_setting(task, values)], limit=limit),)
    else:
        sets = find.choose(dataset or [], root, limit=limit)
    choice = Choice(
        task=task,
        values=values,
        models=tuple(model or ()),
        weights=tuple(weights or ()),
        options=arch_options(arch_option),
        ensemble=ensemble,
    )
    planned = plan(sets, choice, named=bool(dataset) or input_folder is not None)
    engine = EngineSettings(device=device, precision=precision, backend=backend, tile=tile, threads=threads)
    gates = Gates(
        baseline=baseline, tolerance=tolerance, update=update_baseline, psnr=min_psnr, ssim=min_ssim
    )
    outputs = Outputs(
        csv=csv, markdown=markdown, junit=junit, html=html, command=shlex.join(["enhance", *sys.argv[1:]])
    )
    gates.check(planned, seed=seed)
    outputs.check(baseline if update_baseline else None)
    extra = extra_metrics(metric) if metric else None
    if not quiet:
        _say_what_was_found(sets, planned, choice)
    progress = _Progress(planned, show=not quiet)
    measured = run(
        planned,
        engine,
        progress.on_picture,
        on_shown=outputs.show if outputs.html else None,
        seed=seed,
        extra=extra,
    )
    failures: list[ImageError] = []
    finished = _until_failure(progress.around(measured), failures)
    rows = []
    for row in finished if json else print_tables(finished):
        if json:
            data(row.to_json())
        rows.append(row)
    if failures:
        # What was measured before is reported; a gate cannot be judged on a part.
        outputs.write(rows, ())
        raise failures[0]
    missed = gates.judge(rows)
    try:
        for path in outputs.write(rows, missed):
            if not quiet:
                say(f"wrote {path}")
    except WriteError as failure:
        if not missed:
            raise
        error(str(failure))
    raise_if_any(missed)


def _only_setting(task: Task | None, values: Values) -> str:
    """The inputs' name of the one setting that pairs of pictures are for; UsageError unless it is one."""
    from enhance_cli.bench.protocols.choice import settings

    tasks = {task} if task else values.tasks
    found = [setting.inputs for one in tasks for setting in settings(one, values)]
    if len(found) != 1:
        raise UsageError(
            "--input and --reference hold one setting; say which with --scale N, --quality N, --sigma N, "
            "--task deblur or --task demosaic"
        )
    return found[0]


def _numbers(flag: str, text: str | None, kind: Callable[[str], Number]) -> tuple[Number, ...]:
    """Take "10,20" apart; nothing for None."""
    try:
        return tuple(kind(part) for part in text.split(",")) if text else ()
    except ValueError:
        raise UsageError(f"{flag} {text} is not a list of numbers; write it like 10,20") from None


def _say_what_was_found(sets: Sequence[Dataset], planned: Sequence[PlannedRow], choice: Choice) -> None:
    if not (choice.models or choice.weights):
        missing = {f"{row.setting.task} {row.setting.name}": None for row in planned if row.net is None}
        if missing:
            say(f"no weights are shipped for {', '.join(missing)}: the baseline alone is shown")
    for one in sets:
        if one.problem:
            say(f"warning: {one.name}: {one.problem}")
    nets = [row.net for row in planned if row.net]
    for line in dict.fromkeys(f"{net.name} is {net.recognised}" for net in nets if net.recognised):
        say(line)


def _until_failure(rows: Iterator[Row], failures: list[ImageError]) -> Iterator[Row]:
    """The rows up to the first picture that failed; what it failed with is added to `failures`."""
    try:
        yield from rows
    except ImageError as failure:
        failures.append(failure)


class _Progress:
    """A bar on stderr over all pictures of all rows."""

    def __init__(self, planned: Sequence[PlannedRow], *, show: bool) -> None:
        from rich.progress import MofNCompleteColumn, TimeRemainingColumn

        self._bar = progress_bar(MofNCompleteColumn(), TimeRemainingColumn(), show=show)
        self._pictures = self._bar.add_task("", total=sum(len(row.dataset.images) for row in planned))

    def on_picture(self, planned: PlannedRow, done: int) -> None:
        name = planned.model or planned.setting.baseline
        what = f"{planned.dataset.name} {planned.setting.name} {name}"
        self._bar.update(self._pictures, advance=1, description=what)

    def around(self, rows: Iterator[Row]) -> Iterator[Row]:
        """The rows; the bar is gone whenever one is printed, since both may be on one terminal."""
        while True:
            with self._bar:
                row = next(rows, None)
            if row is None:
                return
            yield row
