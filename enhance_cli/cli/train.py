"""`enhance train`: make weights from a recipe."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from enhance_cli.cli import console

if TYPE_CHECKING:
    from enhance_cli.train.loop import Report


def train(
    recipe: Annotated[Path, typer.Argument(help="Recipe file (TOML).", show_default=False)],
    data: Annotated[Path, typer.Option(help="Folder that holds the recipe's packs of pictures.")],
    out: Annotated[Path | None, typer.Option(help="Weights file to write [NAME.safetensors].")] = None,
    budget: Annotated[str | None, typer.Option(help="Time, such as 25m [the recipe's].")] = None,
    init: Annotated[str | None, typer.Option(help="Weights to start from: a name or a file.")] = None,
    validate: Annotated[
        Path | None,
        typer.Option(
            help="Folder of pairs of another making to validate on: noisy/ and clean/, or blur/ and sharp/."
        ),
    ] = None,
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
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a run that was cut off.")] = False,
    cooldown: Annotated[
        str | None,
        typer.Option(help="Finish the weights of a run without end (wsd) in this time, such as 20m."),
    ] = None,
    run: Annotated[
        Path | None,
        typer.Option(
            help="Run to resume or to cool down: its .resume file, or one that --keep wrote [OUT.resume, to "
            "cool down NAME.safetensors.resume in OUT's folder; else runs/NAME.safetensors in the recipe's]."
        ),
    ] = None,
    keep: Annotated[
        Path | None, typer.Option(help="Where to keep a run without end for other machines to go on with.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Say nothing but errors.")] = False,
) -> None:
    """Train weights from a recipe within a time budget."""
    from enhance_cli.train.recipe import parse_budget, read_recipe
    from enhance_cli.train.run import RunSettings
    from enhance_cli.train.run import train as run_training
    from enhance_cli.train.state import state_path

    plan = read_recipe(recipe)
    usual = Path(f"{plan.name}.safetensors")
    out = out or usual
    state = state_path(out.with_name(usual.name) if cooldown else out)
    kept = keep or recipe.parent / "runs" / usual
    from_kept = plan.schedule == "wsd" and kept.exists() and not state.exists()
    settings = RunSettings(
        data=data,
        out=out,
        budget=parse_budget(budget or plan.budget),
        cooldown=parse_budget(cooldown) if cooldown else None,
        device=device,
        precision=precision,
        init=init,
        threads=threads,
        compile=compile,
        validate=validate,
        vgg=vgg,
        resume=resume,
        run=run or (kept if from_kept else state),
        keep=keep,
    )
    stopped = threading.Event()
    tell, say = (_silence, _silence) if quiet else (_tell, console.say)
    # Whoever ends the process gets what it has learnt.
    before = signal.signal(signal.SIGTERM, lambda number, frame: stopped.set())
    try:
        run_training(plan, settings, tell, say, stopped.is_set)
    finally:
        signal.signal(signal.SIGTERM, before)


def _silence(message: object) -> None:
    pass


def _tell(report: Report) -> None:
    speed = report.iterations / report.seconds
    foreign = "" if report.foreign_psnr is None else f"  foreign {report.foreign_psnr:.3f} dB"
    console.say(
        f"{report.seconds:7.0f} s  {report.iterations:7d} it  {speed:6.2f} it/s  loss {report.loss:.5f}  "
        f"validation {report.psnr:.3f} dB  long average {report.long_psnr:.3f} dB{foreign}"
    )
