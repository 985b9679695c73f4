"""`enhance models`: what is shipped, whether it is intact, and what other files hold."""

from __future__ import annotations

import math
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from enhance_cli.cli import console
from enhance_cli.cli.options import (
    ArchOption,
    BackendOption,
    Device,
    Json,
    Overwrite,
    PrecisionOption,
    Threads,
    arch_options,
)
from enhance_cli.cli.tables import print_columns
from enhance_cli.tasks import Task

if TYPE_CHECKING:
    from enhance_cli.checkpoints.reader import LoadedNet

app = typer.Typer(no_args_is_help=True, help="Show and verify the shipped weights; look into other files.")

WeightsArgument = Annotated[Path, typer.Argument(metavar="FILE", show_default=False, help="Weights file.")]
TaskOption = Annotated[
    Task | None,
    typer.Option(help="What it is to do, where it can do several things.", show_default=False),
]
ScaleOption = Annotated[
    float | None, typer.Option(help="Enlargement, where it holds several.", show_default=False)
]
COLUMNS = ("name", "tier", "task", "scale", "colour", "parameters", "licence", "summary")


def _names() -> list[str]:
    from enhance_cli.checkpoints.catalog import catalog

    return [weights.name for weights in catalog()]


@app.command("list")
def list_models(json: Json = False) -> None:
    """List all weights with the tier that --model finds each by; a task takes its default unasked."""
    from enhance_cli.checkpoints.catalog import catalog

    if json:
        for weights in catalog():
            console.event("model", asdict(weights))
        return
    tables = [asdict(weights) for weights in catalog()]
    print_columns([COLUMNS, *(tuple(str(one[column] or "") for column in COLUMNS) for one in tables)])


@app.command()
def show(
    name: Annotated[
        str, typer.Argument(autocompletion=_names, show_default=False, help="Name of the weights.")
    ],
    json: Json = False,
) -> None:
    """Show all that is known about one set of weights."""
    from enhance_cli.checkpoints.catalog import find

    weights = find(name)
    if json:
        console.event("model", asdict(weights))
        return
    for key, value in asdict(weights).items():
        if value is not None:
            console.data(f"{key:<16} {_text(value)}")
    card = _card(name)
    if card:
        console.data(f"\n{card}")


@app.command()
def inspect(
    file: WeightsArgument,
    task: TaskOption = None,
    scale: ScaleOption = None,
    arch_option: ArchOption = None,
    json: Json = False,
) -> None:
    """Tell what a weights file holds, ours or the authors'."""
    from enhance_cli.checkpoints.inspect import facts

    found = facts(_load(file, task, scale, arch_option))
    if json:
        console.event("inspect", {"file": str(file), **found})
        return
    for key, value in found.items():
        if value not in (None, (), []):
            console.data(console.visible(f"{key.replace('_', ' '):<24} {_text(value)}"))


@app.command()
def convert(
    file: WeightsArgument,
    output: Annotated[Path, typer.Argument(metavar="OUT.safetensors", show_default=False)],
    task: TaskOption = None,
    scale: ScaleOption = None,
    arch_option: ArchOption = None,
    half: Annotated[bool, typer.Option("--half", help="Round to float16, half the size.")] = False,
    overwrite: Overwrite = False,
) -> None:
    """Write the authors' weights as a safetensors file that says itself what it holds."""
    from enhance_cli.checkpoints.reader import save_converted
    from enhance_cli.errors import UsageError

    if output.suffix != ".safetensors":
        raise UsageError(f"{output} does not end in .safetensors, which is what will be written; name it so")
    if os.path.lexists(output) and not overwrite:
        raise UsageError(f"{output} exists; --overwrite replaces it")
    net = _load(file, task, scale, arch_option)
    if len(net.scales) > 1 and scale is None:
        scales = ", ".join(map(str, net.scales))
        raise UsageError(f"{file} holds networks for scales {scales}; say with --scale N which to write")
    save_converted(output, net, half=half)
    console.say(console.visible(f"wrote {output}: {net.recognised or net.arch}"))


@app.command()
def verify(json: Json = False) -> None:
    """Check every weights file against its sha256; exit code 1 if one is missing or altered."""
    from enhance_cli.checkpoints import store
    from enhance_cli.checkpoints.catalog import catalog
    from enhance_cli.errors import ModelError

    problems = 0
    for weights in catalog():
        problem = None
        try:
            store.verify(weights)
        except ModelError as error:
            problem, problems = str(error), problems + 1
        if json:
            fields = {"name": weights.name, "sha256": weights.sha256, "ok": problem is None, "error": problem}
            console.event("verify", fields)
        else:
            console.data(f"{'BAD' if problem else 'ok ':<3}  {weights.name}")
        if problem:
            console.error(problem)
    if problems:
        raise typer.Exit(1)


@app.command()
def prepare(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]...", autocompletion=_names, show_default=False, help="All, if none."),
    ] = None,
    device: Device = "auto",
    precision: PrecisionOption = "auto",
    backend: BackendOption = "auto",
    threads: Threads = None,
    json: Json = False,
) -> None:
    """Get weights ready for the fastest runtime, as their first use would: for images and CI."""
    from enhance_cli.checkpoints.catalog import catalog, find
    from enhance_cli.engine.sources import from_catalog
    from enhance_cli.runtimes.contract import RuntimeSettings
    from enhance_cli.runtimes.select import open_runtime

    settings = RuntimeSettings(device=device, precision=precision, backend=backend, threads=threads)
    for weights in [find(name) for name in names] if names else catalog():
        runtime = open_runtime(from_catalog(weights), settings)
        found = {
            "name": weights.name,
            "device": runtime.device,
            "backend": runtime.name,
            "precision": runtime.precision,
            "notes": runtime.notes,
        }
        text = f"{weights.name}  {runtime.name} {runtime.precision} on {runtime.device}"
        if json:
            console.event("prepare", found)
        else:
            console.data(text)


def _load(file: Path, task: Task | None, scale: float | None, options: list[str] | None) -> LoadedNet:
    from enhance_cli.checkpoints.reader import load_file
    from enhance_cli.checkpoints.wanted import Wanted
    from enhance_cli.errors import UsageError

    if scale is not None and not 1 <= scale < math.inf:
        raise UsageError(f"--scale {scale:g} is not possible; give 1 or more")
    return load_file(file, Wanted(task=task, scale=scale, options=arch_options(options)))


def _text(value: object) -> str:
    match value:
        case (float(), float()):
            return "..".join(f"{end:g}" for end in value)
        case tuple():
            return ", ".join(map(str, value))
        case dict():
            return ", ".join(f"{key} {one}" for key, one in value.items())
    return str(value)


def _card(name: str) -> str | None:
    """The section of the model cards that is headed by the name, without its pictures."""
    from enhance_cli.checkpoints.store import weights_folder

    path = weights_folder() / "README.md"
    if not path.is_file():
        return None
    card: list[str] = []
    depth = 0
    for line in path.read_text(encoding="utf-8").splitlines():
        level = len(line) - len(line.lstrip("#"))
        if card and 0 < level <= depth:
            break
        if card or (level and name in line.split()):
            depth = depth or level
            card += [] if line.startswith("![") else [line]
    return "\n".join(card).replace("\n\n\n", "\n\n").rstrip() or None
