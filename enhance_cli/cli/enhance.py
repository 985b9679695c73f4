"""What the task commands do: flags -> plan -> batch -> gates -> exit code.

Imported by commands when they run, never for `--help`.
"""

from __future__ import annotations

import math
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import typer

from enhance_cli.arch.contract import Task
from enhance_cli.checkpoints.catalog import ENSEMBLED
from enhance_cli.checkpoints.wanted import Wanted
from enhance_cli.cli.console import BatchConsole
from enhance_cli.cli.inputs import find_inputs, split_output
from enhance_cli.cli.options import Common, arch_options
from enhance_cli.cli.paths import Naming, format_named, plan_jobs
from enhance_cli.engine import batch
from enhance_cli.engine.batch import Job
from enhance_cli.engine.models import Models
from enhance_cli.engine.plan import Plan
from enhance_cli.engine.progress import Event, FileDone, Metrics, Start, Summary
from enhance_cli.engine.settings import EngineSettings
from enhance_cli.engine.work import Enhancement
from enhance_cli.errors import EnhanceError, GateError, ReadError, UsageError, WriteError
from enhance_cli.imaging.encode import EncodeOptions
from enhance_cli.imaging.files import DEFAULT_MAX_PIXELS, remove_leftovers
from enhance_cli.imaging.mosaic import Pattern

DEFAULT_SCALE = 2.0
INTERRUPTED = 130
STARTED = time.time()
MOST_OFFENDERS = 5


@dataclass(frozen=True, kw_only=True)
class Request:
    """What one task's own flags ask for."""

    task: Task
    inputs: list[str]
    scale: float | None = None
    size: tuple[int, int] | None = None
    condition: float | None = None
    """None: found in each picture."""
    pattern: Pattern | None = None
    """demosaic; None: found in each picture."""


def enhance(request: Request, common: Common) -> None:
    """Run one task over its inputs; leaves through `typer.Exit` unless all went well.

    UsageError and its like before anything is written; GateError if a mean lies below its gate.
    """
    _check(common)
    models = Models(
        request.task,
        _engine(common),
        name=common.model,
        file=_path(common.weights),
        wanted=_wanted(request, common),
    )
    plan = _plan(request, common, models)
    jobs, skipped = _jobs(request.inputs, common, _naming(request, common, models, plan))
    console = BatchConsole(json=common.json, quiet=common.quiet, debug=common.debug)
    gates = _Gates(common)

    def on_event(event: Event) -> None:
        gates.see(event)
        console.show(event)

    settings = _asked(request, common)
    if common.dry_run:
        _leave(_dry_run(jobs, plan, settings, skipped, on_event), gates, dry=True)
        return
    stdin = cache(_from_stdin)
    work = Enhancement(plan, models, stdin=stdin, stdout=_to_stdout)
    with _interruptible():
        on_event(work.start(settings, len(jobs)))
        remove_leftovers([job.output for job in jobs if job.output], STARTED)
        if any(job.input is None for job in jobs):
            # An interrupt could not end the wait of a reader thread.
            stdin()
        with console.progress(len(jobs)):
            summary = batch.run(jobs, work, on_event, threads=common.jobs, skipped=skipped)
    _leave(summary, gates)


def _jobs(paths: list[str], common: Common, naming: Naming) -> tuple[tuple[Job, ...], int]:
    """All jobs, and how many files were left out."""
    names, output = split_output(paths, common.output)
    inputs = find_inputs(names, output=output, recursive=common.recursive)
    jobs, own = plan_jobs(inputs, naming, output, _path(common.reference))
    if not jobs:
        raise EnhanceError(f"no pictures found in {' '.join(names)}")
    if common.json and any(job.output is None for job in jobs):
        raise UsageError("--json and the picture cannot both go to stdout; name an output")
    return jobs, inputs.skipped + own


def _check(common: Common) -> None:
    """Combinations that make no sense."""
    if common.model is not None and common.weights is not None:
        raise UsageError("--model and --weights are both given; leave one out")
    if common.arch_option and common.weights is None:
        raise UsageError("--arch-option needs --weights")
    gated = common.min_psnr is not None or common.min_ssim is not None
    if gated and common.reference is None:
        raise UsageError("--min-psnr and --min-ssim need --reference")


def _engine(common: Common) -> EngineSettings:
    return EngineSettings(
        device=common.device,
        precision=common.precision,
        backend=common.backend,
        tile=common.tile,
        ensemble=common.ensemble or common.model == ENSEMBLED,
        threads=common.threads,
    )


def _wanted(request: Request, common: Common) -> Wanted:
    # For an exact size the factor differs by picture: the largest network then serves all.
    scale = math.inf if request.size else request.scale
    return Wanted(scale=scale, condition=request.condition, options=arch_options(common.arch_option))


def _plan(request: Request, common: Common, models: Models) -> Plan:
    factor = 1.0
    if request.task == "sr":
        factor = request.scale or float(models.fixed_scale or DEFAULT_SCALE)
    return Plan(
        task=request.task,
        factor=factor,
        size=request.size,
        condition=request.condition,
        pattern=request.pattern,
        options=arch_options(common.arch_option),
        format=format_named(common.format),
        encode=EncodeOptions(
            png_level=common.png_level,
            jpeg_quality=common.jpeg_quality,
            webp_effort=common.webp_effort,
        ),
        engine=_engine(common),
        max_pixels=common.max_pixels or DEFAULT_MAX_PIXELS,
        overwrite=common.overwrite,
    )


def _naming(request: Request, common: Common, models: Models, plan: Plan) -> Naming:
    fields = {"scale": "x".join(map(str, plan.size)) if plan.size else f"{plan.factor:g}"}
    kind = {"dejpeg": "quality", "denoise": "sigma"}.get(request.task)
    if kind:
        fields[kind] = "auto" if plan.condition is None else f"{plan.condition:g}"
    if models.fixed_name:
        # Without a name given, gray and colour pictures may take different weights.
        fields["model"] = models.fixed_name
    return Naming(request.task, fields, template=common.name, format=common.format)


def _asked(request: Request, common: Common) -> dict[str, Any]:
    """All flags as given, for the start event."""
    own = {key: value for key, value in asdict(request).items() if key not in ("task", "inputs")}
    talk = ("json", "quiet", "debug", "dry_run")
    return {**own, **{key: value for key, value in asdict(common).items() if key not in talk}}


def _dry_run(
    jobs: Sequence[Job], plan: Plan, settings: dict[str, Any], skipped: int, on_event: Callable[[Event], None]
) -> Summary:
    """The events of a run in which every picture is passed over."""
    on_event(
        Start(
            task=plan.task,
            settings=settings,
            device=None,
            backend=None,
            precision=None,
            weights=(),
            inputs=len(jobs),
            ensemble=plan.engine.ensemble,
        )
    )
    for job in jobs:
        on_event(_passed_over(job))
    failed = sum(job.problem is not None for job in jobs)
    skipped += len(jobs) - failed
    summary = Summary(done=0, current=0, skipped=skipped, failed=failed, seconds=0.0, megapixels=0.0)
    on_event(summary)
    return summary


def _passed_over(job: Job) -> FileDone:
    there = job.output is not None and os.path.lexists(job.output)
    return FileDone(
        input=job.input_name,
        output=job.output_name,
        status="failed" if job.problem else "skipped",
        warnings=("the output exists already",) if there else (),
        error=str(job.problem) if job.problem else None,
    )


class _Gates:
    """Remembers the figures that --min-psnr and --min-ssim judge."""

    def __init__(self, common: Common) -> None:
        gates = {"psnr": common.min_psnr, "ssim": common.min_ssim}
        self._gates = {key: gate for key, gate in gates.items() if gate is not None}
        self._seen: list[tuple[str, Metrics]] = []

    def see(self, event: Event) -> None:
        """Take note of a finished picture."""
        if self._gates and isinstance(event, FileDone) and event.metrics:
            self._seen.append((event.input, event.metrics))

    def check(self, means: Metrics | None) -> None:
        """GateError that names the means below their gates and the worst pictures."""
        texts = [
            self._offence(key, gate, means[key])
            for key, gate in self._gates.items()
            if means and not means[key] >= gate
        ]
        if texts:
            raise GateError("; ".join(texts))

    def _offence(self, key: str, gate: float, mean: float) -> str:
        below = sorted((metrics[key], name) for name, metrics in self._seen if not metrics[key] >= gate)
        digits = 4 if key == "ssim" else 2
        worst = ", ".join(f"{name} {value:.{digits}f}" for value, name in below[:MOST_OFFENDERS])
        more = f" and {len(below) - MOST_OFFENDERS} more" if len(below) > MOST_OFFENDERS else ""
        return f"mean {key.upper()} {mean:.{digits}f} is below --min-{key} {gate:g}: {worst}{more}"


def _leave(summary: Summary, gates: _Gates, *, dry: bool = False) -> None:
    if summary.interrupted:
        raise typer.Exit(INTERRUPTED)
    gates.check(summary.metrics)
    if summary.failed:
        raise typer.Exit(3 if summary.done + summary.current or dry else 1)


@contextmanager
def _interruptible() -> Iterator[None]:
    """SIGTERM ends a run as cleanly as SIGINT."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _from_stdin() -> bytes:
    if sys.stdin is None:
        raise ReadError("standard input is closed; pipe a picture into it or name a file")
    return sys.stdin.buffer.read()


def _to_stdout(data: bytes) -> None:
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise WriteError(f"cannot write to standard output: {error.strerror}") from error


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)
