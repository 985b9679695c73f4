"""What is done to each picture: read and check, restore, write; `pipeline` says when and in which thread."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

from enhance_cli.batch.models import Models
from enhance_cli.batch.plan import Job, Plan
from enhance_cli.batch.progress import FileDone, Start
from enhance_cli.batch.records import Record, Records
from enhance_cli.batch.restoration import Restoration, restoration_of, restoration_of_frames
from enhance_cli.engine.network import OnTile
from enhance_cli.errors import ExistsError, ImageError, ReadError, RestoreError, UsageError
from enhance_cli.imaging import files
from enhance_cli.imaging.files import Frame, ReadOptions
from enhance_cli.imaging.formats import FORMATS
from enhance_cli.imaging.mosaic import as_mosaic
from enhance_cli.imaging.picture import Picture, joined
from enhance_cli.imaging.sandbox import Sandbox
from enhance_cli.metrics.measure import Metrics, baseline, measure

FALLBACK_FORMAT = "PNG"
"""Of the results of inputs whose own format cannot be written."""
HELD_COPIES, MADE_COPIES = 2, 3
"""How often a picture, and its result, are in memory while the one becomes the other, at most."""


@dataclass(frozen=True)
class Input:
    """A picture as the reader leaves it."""

    picture: Picture
    sha256: str
    """Of the file."""
    target: tuple[int, int]
    """(width, height) of the result."""
    reference: Picture | None
    frames: Iterator[Frame] | None = None
    """All of them, that of `picture` included, where there are more and all are wanted."""


class Steps:
    """What is done to each picture of a run.  `read` and `write` may be called from several threads."""

    def __init__(
        self,
        plan: Plan,
        models: Models,
        *,
        stdin: Callable[[], bytes],
        stdout: Callable[[bytes], None],
        sandbox: Sandbox | None = None,
    ) -> None:
        """`stdin` and `stdout` serve the jobs without a path; `sandbox` decodes the inputs, if given."""
        self._plan = plan
        self._models = models
        self._sandbox = sandbox
        self._stdin = stdin
        self._stdout = stdout
        self._records = Records()
        self._parts: set[Path] = set()
        self._weights = models.candidates(None if plan.size else plan.factor)

    def start(self, settings: dict[str, Any], inputs: int) -> Start:
        """Load the first network, so that a missing device or a broken file stops the run at once.

        `settings` are passed on as what the user asked for.
        """
        plan = self._plan
        model = self._models.model(gray=False, factor=1.0 if plan.size else plan.factor)
        if plan.condition is not None and model.restorer.spec.condition is None and model.chosen_for is None:
            raise UsageError(f"{model.weights.name} takes no strength; leave out --quality or --sigma")
        runtime = model.restorer.runtime
        return Start(
            task=plan.task.name,
            settings=settings,
            device=runtime.device,
            backend=runtime.name,
            precision=runtime.precision,
            weights=self._weights,
            inputs=inputs,
            notes=runtime.notes,
            ensemble=plan.engine.ensemble,
        )

    def read(self, job: Job) -> Input | FileDone:
        """Read, hash and decode; whatever can be refused is refused here, before the work."""
        if job.problem:
            raise job.problem
        job.check_place()
        plan = self._plan
        data = self._stdin() if job.input is None else files.bytes_of(job.input, plan.read.limits)
        sha256 = hashlib.sha256(data).hexdigest()
        current = self._is_current(job, sha256)
        if current and job.reference is None:
            return FileDone(input=job.input_name, output=job.output_name, status="current")
        try:
            picture, frames = self._decoded(data)
        except ReadError as error:
            # Every event names its input already.
            raise ReadError(str(error).removeprefix("input data: ")) from error
        target = plan.target(picture)
        if plan.memory is not None:
            self._check_memory(job, picture, target, plan.memory.share)
        files.check_fits(self._format(job, picture), *target, alpha=picture.alpha is not None)
        reference = None if job.reference is None else _cropped(self._clean(job.reference), target, plan)
        found = Input(picture, sha256, target, reference, frames)
        if reference is not None and (reference.width, reference.height) != target:
            raise ImageError(
                f"reference {job.reference} is {reference.width}x{reference.height}, the result would be "
                f"{target[0]}x{target[1]}; give one of that size"
            )
        return self._measured_again(job, found) if current else found

    def restore(self, job: Job, found: Input, on_tile: OnTile) -> Restoration:
        """Choose the weights and the condition; the network runs when the bands are asked for."""
        plan, start = self._plan, time.monotonic()

        def timed(done: int, total: int) -> None:
            if plan.seconds is not None and done < total and time.monotonic() - start > plan.seconds:
                raise RestoreError(
                    f"takes longer than --timeout {plan.seconds:g} s ({done} of {total} tiles done); raise it"
                )
            on_tile(done, total)

        if found.frames is not None:
            return restoration_of_frames(found.frames, plan, self._models, on_tile=timed)
        return restoration_of(found.picture, plan, self._models, on_tile=timed)

    def write(self, job: Job, found: Input, restoration: Restoration, bands: Iterable[Picture]) -> FileDone:
        """Compare, encode and write, band by band where nothing needs the whole."""
        outline, condition = restoration.outline, restoration.condition
        format = self._format(job, outline)
        metrics = before = None
        if restoration.frames is not None:
            results = (
                replace(restoration.frames[number], picture=picture) for number, picture in enumerate(bands)
            )
            pieces = files.encode_frames(results, format, options=self._plan.encode)
        elif found.reference is None:
            pieces = files.encode_bands(outline, iter(bands), format, options=self._plan.encode)
        else:
            picture = joined(outline, bands)
            data = files.encode(picture, format, options=self._plan.encode)
            if format == "JPEG":
                picture = files.read(data, max_pixels=picture.width * picture.height)
            metrics, before = self._measured(found, picture)
            pieces = iter([data])
        if job.output is None:
            self._stdout(b"".join(pieces))
        else:
            self._save(job, job.output, pieces, found, restoration)
        info = restoration.info
        assert info is not None
        return FileDone(
            input=job.input_name,
            output=job.output_name,
            status="done",
            input_size=(found.picture.width, found.picture.height),
            output_size=(outline.width, outline.height),
            device=info.device,
            backend=info.backend,
            precision=info.precision,
            tiles=info.tiles,
            frames=None if restoration.frames is None else len(restoration.frames),
            model=restoration.model.weights.name,
            condition=condition.value,
            condition_from=condition.source,
            damage=restoration.damage,
            metrics=metrics,
            baseline=before,
            warnings=(
                *found.picture.warnings,
                *condition.warnings,
                *info.warnings,
                *files.losses(outline, format),
            ),
        )

    def _decoded(self, data: bytes) -> tuple[Picture, Iterator[Frame] | None]:
        """The picture, and all frames where there are more and all are wanted."""
        plan, frames = self._plan, None
        only = plan.frames == "first"
        if self._sandbox is None:
            several = files.read_frames(data, options=plan.read)
        else:
            several = self._sandbox.read_frames(data, plan.read, first_only=only)
        if only:
            picture = files.first_of(several)
        else:
            first = next(several)
            picture = first.picture
            frames = None if first.count < 2 else several
        if plan.task.mosaic:
            picture = as_mosaic(picture, plan.pattern)
        if frames is not None:
            frames = chain([replace(first, picture=picture)], frames)
        return picture, frames

    def _check_memory(self, job: Job, picture: Picture, target: tuple[int, int], allowed: int) -> None:
        """ImageError for a picture that, with its result, takes more memory than `allowed` bytes."""
        plan = self._plan
        in_bands = (
            self._format(job, picture) in ("PNG", "PPM")
            and job.reference is None
            and picture.alpha is None
            and not plan.task.mosaic
            and plan.size is None
            and float(plan.factor).is_integer()
        )
        samples = HELD_COPIES * picture.width * picture.height
        samples += 0 if in_bands else MADE_COPIES * target[0] * target[1]
        channels = picture.pixels.shape[2] + (picture.alpha is not None)
        needed = samples * channels * picture.pixels.itemsize
        if needed > allowed:
            raise ImageError(
                f"with its result of {target[0]}x{target[1]} it takes about {needed / 1e6:.0f} MB, and "
                f"--memory leaves {allowed / 1e6:.0f} MB for a picture; raise it, or give less"
            )

    def _is_current(self, job: Job, sha256: str) -> bool:
        output = job.output
        if output is None or self._plan.overwrite or not os.path.lexists(output):
            return False
        if self._records.is_current(
            output,
            input_sha256=sha256,
            settings=self._plan.record_settings(output),
            weights={one.sha256 for one in self._weights},
        ):
            return True
        raise ExistsError(self._records.conflict(output))

    def _measured_again(self, job: Job, found: Input) -> FileDone:
        """An output that is up to date counts towards the means and gates like a new one."""
        assert job.output is not None
        output = self._clean(job.output)
        metrics, before = self._measured(found, output)
        return FileDone(
            input=job.input_name,
            output=job.output_name,
            status="current",
            input_size=(found.picture.width, found.picture.height),
            output_size=(output.width, output.height),
            metrics=metrics,
            baseline=before,
        )

    def _clean(self, path: Path) -> Picture:
        """A reference or an output, whose levels and colours are as they should be."""
        return files.read(path, options=ReadOptions(limits=self._plan.read.limits))

    def _measured(self, found: Input, result: Picture) -> tuple[Metrics, Metrics]:
        """Figures of the result and of doing nothing."""
        assert found.reference is not None
        task, clean, (width, height) = self._plan.task.name, found.reference.pixels, found.target
        factor = self._plan.factor_of(found.picture)
        untreated = baseline(task, found.picture.pixels, height, width)
        return measure(task, result.pixels, clean, factor), measure(task, untreated, clean, factor)

    def _format(self, job: Job, picture: Picture) -> str:
        if job.output is not None:
            return files.format_of(job.output)
        if self._plan.format != "same":
            return self._plan.format
        return picture.format if picture.format in FORMATS else FALLBACK_FORMAT

    def _save(
        self, job: Job, output: Path, pieces: Iterator[bytes], found: Input, restoration: Restoration
    ) -> None:
        # There is no file until there is something to write.
        first = next(pieces)
        # Links may have come since it was read.
        job.check_place()
        digest = hashlib.sha256()
        with files.atomic(output, overwrite=self._plan.overwrite) as file:
            part = Path(file.name)
            self._parts.add(part)
            try:
                for piece in chain([first], pieces):
                    digest.update(piece)
                    file.write(piece)
                self._remember(output, digest.hexdigest(), found, restoration)
                if self._plan.preserve_times and job.input is not None:
                    file.flush()
                    dates = job.input.stat()
                    os.utime(part, ns=(dates.st_atime_ns, dates.st_mtime_ns))
            finally:
                self._parts.discard(part)

    def _remember(self, output: Path, sha256: str, found: Input, restoration: Restoration) -> None:
        """Write the record of an output that is about to get its name."""
        info = restoration.info
        assert info is not None
        record = Record(
            output=output.name,
            output_sha256=sha256,
            input_sha256=found.sha256,
            settings=self._plan.record_settings(output),
            weights_sha256=restoration.model.weights.sha256,
            computed={"device": info.device, "backend": info.backend, "precision": info.precision},
        )
        self._records.append(output.parent, record)

    def abandon(self) -> None:
        """Remove what is half written, when the process is about to end; from any thread."""
        for part in tuple(self._parts):
            part.unlink(missing_ok=True)


def _cropped(reference: Picture, target: tuple[int, int], plan: Plan) -> Picture:
    """A clean picture that is not a multiple of the scale, without what shrinking it has left out.

    At the right and the bottom, as test sets are made and as the benchmark crops; else as it is.
    """
    width, height = target
    over = reference.width - width, reference.height - height
    if plan.size is None and max(over) > 0 and all(0 <= n < plan.factor for n in over):
        alpha = None if reference.alpha is None else reference.alpha[:height, :width]
        return replace(reference, pixels=reference.pixels[:height, :width], alpha=alpha)
    return reference
