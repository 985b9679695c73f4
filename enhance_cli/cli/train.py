"""`enhance train`: make weights from a recipe."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from enhance_cli.train.loop import Report


def train(
    recipe: Annotated[Path, typer.Argument(help="Recipe file (TOML).", show_default=False)],
    data: Annotated[Path, typer.Option(help="Folder that holds the recipe's packs of pictures.")],
    out: Annotated[Path | None, typer.Option(help="Weights file to write [NAME.safetensors].")] = None,
    budget: Annotated[str | None, typer.Option(help="Time, such as 25m [the recipe's].")] = None,
    init: Annotated[str | None, typer.Option(help="Weights to start from: a name or a file.")] = None,
    vgg: Annotated[
        Path | None,
        typer.Option(help="Weights of torchvision's vgg19 (not shipped), for the loss perceptual."),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    precision: Annotated[str, typer.Option(help="auto, float32 or bfloat16 (mixed).")] = "auto",
    threads: Annotated[int | None, typer.Option(help="CPU threads for the arithmetic.")] = None,
    compile: Annotated[
        bool | None,
        typer.Option(help="Compile the network [on GPUs]; CPUs need a C++ compiler."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a run that was cut off, from OUT.resume.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Say nothing but errors.")] = False,
) -> None:
    """Train weights from a recipe within a time budget."""
    from enhance_cli.train.recipe import parse_budget, read_recipe
    from enhance_cli.train.run import RunSettings
    from enhance_cli.train.run import train as run

    plan = read_recipe(recipe)
    settings = RunSettings(
        data=data,
        out=out or Path(f"{plan.name}.safetensors"),
        budget=parse_budget(budget or plan.budget),
        device=device,
        precision=precision,
        init=init,
        threads=threads,
        compile=compile,
        vgg=vgg,
        resume=resume,
    )
    run(plan, settings, (lambda report: None) if quiet else _say)


def _say(report: Report) -> None:
    speed = report.iterations / report.seconds
    sys.stderr.write(
        f"{report.seconds:7.0f} s  {report.iterations:7d} it  {speed:6.2f} it/s  "
        f"loss {report.loss:.5f}  validation {report.psnr:.3f} dB\n"
    )
