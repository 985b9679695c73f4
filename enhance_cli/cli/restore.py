"""What the task commands do: flags -> plan -> batch -> gates -> exit code.

Imported by commands when they run, never for `--help`.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import cache, partial
from pathlib import Path

import typer

from enhance_cli.batch import pipeline
from enhance_cli.batch.budget import parsed
from enhance_cli.batch.inputs import find_inputs, split_output
from enhance_cli.batch.models import Models
from enhance_cli.batch.outputs import Naming, format_named, plan_jobs
from enhance_cli.batch.plan import Job, Plan
from enhance_cli.batch.progress import Event, FileDone, Start, Summary
from enhance_cli.batch.steps import Steps
from enhance_cli.checkpoints.catalog import ENSEMBLED
from enhance_cli.cli.console import BatchConsole, read_stdin, write_stdout
from enhance_cli.cli.interruption import INTERRUPTED, Interruption
from enhance_cli.cli.options import Common, arch_options, share
from enhance_cli.engine.settings import EngineSettings
from enhance_cli.errors import EnhanceError, GateError, UsageError
from enhance_cli.imaging.encode import EncodeOptions
from enhance_cli.imaging.files import Limits, ReadOptions, remove_leftovers
from enhance_cli.imaging.mosaic import Pattern
from enhance_cli.imaging.sandbox import Sandbox
from enhance_cli.metrics.gates import below, first_of
from enhance_cli.metrics.measure import Metrics
from enhance_cli.tasks import TASKS, Task

DEFAULT_SCALE = 2.0
STARTED = time.time()


def restore(
    task: Task,
    inputs: list[str],
    common: Common,
    *,
    scale: float | None = None,
    size: tuple[int, int] | None = None,
    condition: float | None = None,
    pattern: Pattern | None = None,
) -> None:
    """Run one task over its inputs; leaves through `typer.Exit` unless all went well.

    A condition or pattern that is None is found in each picture.  UsageError and its like before anything
    is written; GateError if a mean lies below its gate.
    """
    if common.model is not None and common.weights is not None:
        raise UsageError("--model and --weights are both given; leave one out")
    if common.arch_option and common.weights is None:
        raise UsageError("--arch-option needs --weights")
    if (common.min_psnr is not None or common.min_ssim is not None) and common.reference is None:
        raise UsageError("--min-psnr and --min-ssim need --reference")
    if common.frames == "all" and common.reference is not None:
        raise UsageError("--frames all and --reference are both given; leave one out")
    if common.white_level is not None and common.white_level <= common.black_level:
        raise UsageError(
            f"--white-level {common.white_level:g} is not above --black-level {common.black_level:g}"
        )
    if common.timeout is not None and not 0 < common.timeout < math.inf:
        raise UsageError(f"--timeout {common.timeout:g} is not possible; give seconds above 0")
    memory = None if common.memory is None else parsed(common.memory)
    engine = EngineSettings(
        device=common.device,
        precision=common.precision,
        backend=common.backend,
        tile=common.tile,
        ensemble=common.ensemble or common.model == ENSEMBLED,
        tile_bytes=None if memory is None else memory.share,
        unchecked=common.unchecked,
        threads=common.threads,
    )
    options = arch_options(common.arch_option)
    models = Models(
        task,
        engine,
        name=common.model,
        file=_path(common.weights),
        # For an exact size the factor differs by picture: the largest network then serves all.
        scale=math.inf if size else scale,
        condition=condition,
        options=options,
    )
    plan = Plan(
        task=TASKS[task],
        factor=(scale or float(models.fixed_scale or DEFAULT_SCALE)) if TASKS[task].enlarges else 1.0,
        size=size,
        condition=condition,
        strength=share(common.strength),
        pattern=pattern,
        options=options,
        format=format_named(common.format or ("same" if common.frames == "all" else TASKS[task].format)),
        encode=EncodeOptions(
            png_level=common.png_level,
            jpeg_quality=common.jpeg_quality,
            webp_effort=common.webp_effort,
        ),
        engine=engine,
        read=ReadOptions(
            limits=replace(_limits(common), memory=None if memory is None else memory.share),
            white_level=common.white_level,
            black_level=common.black_level,
            icc=common.icc,
            strip=common.strip,
        ),
        frames=common.frames,
        seconds=common.timeout,
        memory=memory,
        wrap=common.wrap,
        overwrite=common.overwrite,
        preserve_times=common.preserve_times,
    )
    jobs, skipped = _jobs(inputs, common, _naming(common, models, plan))
    console = BatchConsole(json=common.json, quiet=common.quiet, debug=common.debug)
    measured: list[tuple[str, Metrics]] = []

    def on_event(event: Event) -> None:
        if isinstance(event, FileDone) and event.metrics:
            measured.append((event.input, event.metrics))
        console.show(event)

    asked = {"scale": scale, "size": size, "condition": condition, "pattern": pattern, **asdict(common)}
    for key in ("json", "quiet", "debug", "dry_run"):
        del asked[key]
    limits = plan.read.limits
    stdin = cache(partial(read_stdin, min(limits.file_bytes, limits.memory or limits.file_bytes)))
    sandbox = None
    if common.sandbox or common.timeout is not None:
        sandbox = Sandbox(seconds=common.timeout, memory=None if memory is None else memory.share)
    steps = Steps(plan, models, stdin=stdin, stdout=write_stdout, sandbox=sandbox)
    if common.dry_run:
        summary = _dry_run(jobs, plan, steps, asked, skipped, on_event)
    else:
        with Interruption(console.note, steps.abandon) as interruption:
            on_event(steps.start(asked, len(jobs)))
            remove_leftovers([job.output for job in jobs if job.output], STARTED)
            if any(job.input is None for job in jobs):
                # Here, where there is no other picture yet that it could keep waiting.
                stdin()
            with console.progress(len(jobs)):
                interruption.finishes = True
                summary = pipeline.run(
                    jobs,
                    steps,
                    on_event,
                    threads=common.jobs,
                    skipped=skipped,
                    stop=interruption.stop,
                    retries=common.retry,
                    fail_fast=common.fail_fast,
                    one_by_one=memory is not None,
                )
    if sandbox is not None:
        sandbox.close()
    if summary.interrupted:
        raise typer.Exit(INTERRUPTED)
    _check_gates({"psnr": common.min_psnr, "ssim": common.min_ssim}, summary.metrics, measured)
    if summary.failed:
        raise typer.Exit(3 if summary.done + summary.current or common.dry_run else 1)


def _limits(common: Common) -> Limits:
    """--limit, and --max-pixels, which is the shorter way to raise one of them."""
    limits = Limits().raised(list(common.limit or ()))
    return limits if common.max_pixels is None else replace(limits, pixels=common.max_pixels)


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


def _naming(common: Common, models: Models, plan: Plan) -> Naming:
    fields = {"scale": "x".join(map(str, plan.size)) if plan.size else f"{plan.factor:g}"}
    if plan.task.condition:
        fields[plan.task.condition] = "auto" if plan.condition is None else f"{plan.condition:g}"
    if models.fixed_name:
        # Without a name given, gray and colour pictures may take different weights.
        fields["model"] = models.fixed_name
    animated = common.frames == "all"
    return Naming(plan.task, fields, template=common.name, format=common.format, keep_animated=animated)


def _dry_run(
    jobs: Sequence[Job],
    plan: Plan,
    steps: Steps,
    asked: dict[str, object],
    skipped: int,
    on_event: Callable[[Event], None],
) -> Summary:
    """The events of a run that reads and checks every picture, but for standard input, and makes none."""
    on_event(
        Start(
            task=plan.task.name,
            settings=asked,
            device=None,
            backend=None,
            precision=None,
            weights=(),
            inputs=len(jobs),
            ensemble=plan.engine.ensemble,
        )
    )
    counts = Counter(skipped=skipped)
    for job in jobs:
        file = FileDone(input=job.input_name, output=job.output_name, status="skipped")
        if job.input is not None:
            found = pipeline.guarded(job, partial(steps.read, job))
            file = (
                found
                if isinstance(found, FileDone)
                else replace(
                    file,
                    input_size=(found.picture.width, found.picture.height),
                    output_size=found.target,
                    warnings=found.picture.warnings,
                )
            )
        counts[file.status] += 1
        on_event(file)
    summary = Summary(
        done=0,
        current=counts["current"],
        skipped=counts["skipped"],
        failed=counts["failed"],
        seconds=0.0,
        megapixels=0.0,
    )
    on_event(summary)
    return summary


def _check_gates(
    gates: dict[str, float | None], means: Metrics | None, measured: Sequence[tuple[str, Metrics]]
) -> None:
    """GateError that names the means below their gates and the worst pictures."""
    offences = []
    for key, gate in below(means or {}, gates):
        digits = 4 if key == "ssim" else 2
        lower = sorted((metrics[key], name) for name, metrics in measured if below(metrics, {key: gate}))
        worst = first_of([f"{name} {value:.{digits}f}" for value, name in lower])
        mean = f"mean {key.upper()} {(means or {})[key]:.{digits}f}"
        offences.append(f"{mean} is below --min-{key} {gate:g}: {worst}")
    if offences:
        raise GateError("; ".join(offences))


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)
