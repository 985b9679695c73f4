"""What a batch does to each picture: read and check, restore, compare, write; see `batch` for the order."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from enhance_cli.engine.batch import Job, OnTile
from enhance_cli.engine.belt import Belt
from enhance_cli.engine.models import Model, Models
from enhance_cli.engine.mosaics import restore_mosaic
from enhance_cli.engine.plan import Plan
from enhance_cli.engine.progress import FileDone, Metrics, Start
from enhance_cli.engine.records import Record, Records
from enhance_cli.engine.restorer import Run
from enhance_cli.engine.strength import Condition, strength
from enhance_cli.errors import ExistsError, ImageError, ReadError, UsageError
from enhance_cli.imaging import files
from enhance_cli.imaging.formats import FORMATS
from enhance_cli.imaging.mosaic import as_mosaic
from enhance_cli.imaging.picture import Picture, joined
from enhance_cli.metrics import measure

FALLBACK_FORMAT = "PNG"
"""On standard output, and for inputs whose format cannot be written."""


@dataclass(frozen=True)
class Source:
    """An input as the reader leaves it."""

    picture: Picture
    sha256: str
    target: tuple[int, int]
    """(width, height) of the result."""
    reference: Picture | None


@dataclass(frozen=True)
class Treatment:
    """What the network will do to a picture."""

    source: Source
    shown: Picture
    """What is restored of it: one channel, where three are equal."""
    outline: Picture
    """The result but for its pixels."""
    model: Model
    condition: Condition


class Enhancement:
    """The `BatchWork` of all tasks."""

    def __init__(
        self, plan: Plan, models: Models, *, stdin: Callable[[], bytes], stdout: Callable[[bytes], None]
    ) -> None:
        """`stdin` and `stdout` serve the jobs without a path."""
        self._plan = plan
        self._models = models
        self._stdin = stdin
        self._stdout = stdout
        self._records = Records()
        self._weights = models.candidates(None if plan.size else plan.factor)

    def start(self, settings: dict[str, Any], inputs: int) -> Start:
        """Load the first network, so that a missing device or a broken file stops the run at once.

        `settings` are passed on as what the user asked for.
        """
        plan = self._plan
        restorer = self._models.model(gray=False, factor=1.0 if plan.size else plan.factor).restorer
        net = restorer.net
        if plan.condition is not None and net.spec.condition is None and net.chosen_for is None:
            raise UsageError(f"{net.name} takes no strength; leave out --quality or --sigma")
        return Start(
            task=plan.task,
            settings=settings,
            device=str(restorer.runtime.device),
            backend=restorer.runtime.backend,
            precision=restorer.runtime.precision,
            weights=self._weights,
            inputs=inputs,
            notes=restorer.runtime.notes,
            ensemble=plan.engine.ensemble,
        )

    def read(self, job: Job) -> Source | FileDone:
        """Read, hash and decode; whatever can be refused is refused here, before the work."""
        if job.problem:
            raise job.problem
        data = self._stdin() if job.input is None else _bytes_of(job.input)
        sha256 = hashlib.sha256(data).hexdigest()
        current = self._is_current(job, sha256)
        if current and job.reference is None:
            return FileDone(input=job.input_name, output=job.output_name, status="current")
        picture = self._decoded(data)
        target = self._target(picture)
        files.check_fits(self._format(job, picture), *target, alpha=picture.alpha is not None)
        source = Source(picture, sha256, target, self._reference(job))
        _check_reference(source, job)
        return self._measured_again(job, source) if current else source

    def begin(self, job: Job, read: Source) -> Treatment:
        """Choose the weights and the strength.

        Three equal channels are restored as one: noise that is the same in all of them is not what
        colour networks learn, and the result could get a tint.
        """
        plan, picture = self._plan, read.picture
        if plan.task == "demosaic":
            return Treatment(read, picture, picture, self._models.model(gray=False, factor=1.0), Condition())
        shown = picture.as_gray() or picture
        model = self._models.model(gray=shown.gray, factor=self._factor(read))
        condition = strength(shown, model, plan.task, plan.condition)
        outline = model.restorer.outline(picture, self._size(read))
        return Treatment(read, shown, outline, model, condition)

    def restore(self, job: Job, treatment: Treatment, put: Callable[[Picture], None], on_tile: OnTile) -> Run:
        """Run the network."""
        restorer = treatment.model.restorer
        if self._plan.task == "demosaic":
            restored = restore_mosaic(restorer, treatment.shown, on_tile)
            put(restored.picture)
            return restored
        gray_as_rgb = treatment.shown.gray and not treatment.outline.gray
        return restorer.restore_bands(
            treatment.shown,
            (lambda band: put(band.as_rgb())) if gray_as_rgb else put,
            size=self._size(treatment.source),
            condition=treatment.condition.value,
            on_tile=on_tile,
        )

    def write(self, job: Job, treatment: Treatment, bands: Belt[Picture, Run]) -> FileDone:
        """Compare, encode and write, band by band where nothing needs the whole."""
        format = self._format(job, treatment.outline)
        metrics = baseline = None
        if treatment.source.reference is None:
            pieces = files.encode_bands(treatment.outline, bands, format, options=self._plan.encode)
        else:
            picture = joined(treatment.outline, bands)
            data = files.encode(picture, format, options=self._plan.encode)
            written = (
                files.read(data, max_pixels=picture.width * picture.height) if format == "JPEG" else picture
            )
            metrics, baseline = self._figures(treatment.source, written)
            pieces = iter([data])
        if job.output is None:
            self._stdout(b"".join(pieces))
        else:
            self._save(job.output, pieces, treatment)
        run = bands.end
        return FileDone(
            input=job.input_name,
            output=job.output_name,
            status="done",
            input_size=(treatment.source.picture.width, treatment.source.picture.height),
            output_size=(treatment.outline.width, treatment.outline.height),
            device=run.device,
            backend=treatment.model.restorer.runtime.backend,
            precision=run.precision,
            tiles=run.tiles,
            model=treatment.model.used.name,
            condition=treatment.condition.value,
            condition_from=treatment.condition.source,
            metrics=metrics,
            baseline=baseline,
            warnings=(
                *treatment.source.picture.warnings,
                *treatment.condition.warnings,
                *run.warnings,
                *files.losses(treatment.outline, format),
            ),
        )

    def _size(self, read: Source) -> tuple[int, int] | None:
        """The result's (width, height), where it is not the network's affair."""
        return read.target if self._plan.task == "sr" else None

    def _decoded(self, data: bytes) -> Picture:
        try:
            picture = files.read(data, max_pixels=self._plan.max_pixels)
            return as_mosaic(picture, self._plan.pattern) if self._plan.task == "demosaic" else picture
        except ReadError as error:
            # Every event names its input already.
            raise ReadError(str(error).removeprefix("input data: ")) from error

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

    def _target(self, picture: Picture) -> tuple[int, int]:
        if self._plan.size is None:
            factor = self._plan.factor
            return int(picture.width * factor + 0.5), int(picture.height * factor + 0.5)
        width, height = self._plan.size
        if width < picture.width or height < picture.height:
            raise UsageError(
                f"--size {width}x{height} is smaller than the picture ({picture.width}x{picture.height}); "
                "sr only enlarges: ask for more"
            )
        return width, height

    def _reference(self, job: Job) -> Picture | None:
        if job.reference is None:
            return None
        return files.read(job.reference, max_pixels=self._plan.max_pixels)

    def _measured_again(self, job: Job, source: Source) -> FileDone:
        """An output that is up to date counts towards the means and gates like a new one."""
        assert job.output is not None
        output = files.read(job.output, max_pixels=self._plan.max_pixels)
        metrics, baseline = self._figures(source, output)
        return FileDone(
            input=job.input_name,
            output=job.output_name,
            status="current",
            input_size=(source.picture.width, source.picture.height),
            output_size=(output.width, output.height),
            metrics=metrics,
            baseline=baseline,
        )

    def _figures(self, source: Source, result: Picture) -> tuple[Metrics | None, Metrics | None]:
        if source.reference is None:
            return None, None
        clean = source.reference.pixels
        width, height = source.target
        before = measure.baseline(self._plan.task, source.picture.pixels, height, width)
        metrics, baseline = (
            measure.measure(self._plan.task, pixels, clean, self._factor(source))
            for pixels in (result.pixels, before)
        )
        return metrics, baseline

    def _factor(self, source: Source) -> float:
        if self._plan.size is None:
            return self._plan.factor
        return max(source.target[0] / source.picture.width, source.target[1] / source.picture.height)

    def _format(self, job: Job, picture: Picture) -> str:
        if job.output is not None:
            return files.format_of(job.output)
        asked = self._plan.format or FALLBACK_FORMAT
        if asked != "same":
            return asked
        return picture.format if picture.format in FORMATS else FALLBACK_FORMAT

    def _save(self, output: Path, pieces: Iterator[bytes], treatment: Treatment) -> None:
        # There is no file until there is something to write.
        first = next(pieces)
        digest = hashlib.sha256()
        with files.atomic(output) as file:
            for piece in chain([first], pieces):
                digest.update(piece)
                file.write(piece)
            if not self._plan.overwrite and os.path.lexists(output):
                raise ExistsError(f"{output} appeared while it was being made; --overwrite replaces it")
            record = Record(
                output=output.name,
                output_sha256=digest.hexdigest(),
                input_sha256=treatment.source.sha256,
                settings=self._plan.record_settings(output),
                weights_sha256=treatment.model.used.sha256,
            )
            self._records.append(output.parent, record)


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ReadError(f"cannot read {path}: {error.strerror}") from error


def _check_reference(source: Source, job: Job) -> None:
    if source.reference is None:
        return
    found = (source.reference.width, source.reference.height)
    if found != source.target:
        raise ImageError(
            f"reference {job.reference} is {found[0]}x{found[1]}, the result would be "
            f"{source.target[0]}x{source.target[1]}; give one of that size"
        )
