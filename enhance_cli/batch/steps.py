"""What is done to each picture: read and check, restore, write; `pipeline` says when and in which thread."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

from enhance_cli.batch.models import Model, Models
from enhance_cli.batch.plan import Job, Plan
from enhance_cli.batch.progress import FileDone, Start
from enhance_cli.batch.records import Record, Records
from enhance_cli.engine.condition import Condition
from enhance_cli.engine.damage import Damage, find_damage
from enhance_cli.engine.network import OnTile
from enhance_cli.engine.restorer import RunInfo
from enhance_cli.errors import ExistsError, ImageError, ReadError, UsageError
from enhance_cli.imaging import files
from enhance_cli.imaging.formats import FORMATS
from enhance_cli.imaging.mosaic import as_mosaic
from enhance_cli.imaging.picture import Picture, joined
from enhance_cli.metrics.measure import Metrics, baseline, measure

FALLBACK_FORMAT = "PNG"
"""Of the results of inputs whose own format cannot be written."""


@dataclass(frozen=True)
class Input:
    """A picture as the reader leaves it."""

    picture: Picture
    sha256: str
    """Of the file."""
    target: tuple[int, int]
    """(width, height) of the result."""
    reference: Picture | None


@dataclass
class Restoration:
    """A picture in the network's hands."""

    model: Model
    condition: Condition
    damage: Damage | None
    """What was found where the picture was to decide; None where the user did."""
    outline: Picture
    """The result but for its pixels."""
    bands: Iterator[Picture]
    """The result's rows, which are computed as they are asked for."""
    info: RunInfo | None = None
    """Known when the bands have come to their end."""


def restoration_of(
    picture: Picture, plan: Plan, models: Models, *, on_tile: OnTile | None = None
) -> Restoration:
    """Choose the weights and the condition; the network runs when the bands are asked for.

    Unasked, a picture without the damage that the task mends comes out as it is.  Three equal channels are
    restored as one: noise that is the same in all of them is not what colour networks learn, and the result
    could get a tint.  Mosaics come as `as_mosaic` gives them.  UsageError if no weights enlarge by so much.
    """
    shown = picture if plan.task.mosaic else picture.as_gray() or picture
    damage = find_damage(shown, plan.task) if models.unasked and plan.condition is None else None
    photo = damage is not None and damage.needs_photo_weights
    model = models.model(gray=shown.gray, factor=plan.factor_of(picture), photo=photo)
    restorer = model.restorer
    if damage is not None and damage.kind == "none":
        outline = restorer.outline(picture, None)
        untouched = replace(outline, pixels=picture.pixels, alpha=picture.alpha)
        info = replace(restorer.info, tiles=0, warnings=())
        return Restoration(model, Condition(), damage, outline, iter([untouched]), info)
    condition = restorer.find_condition(shown, plan.condition)
    # What a task that keeps the size gives is the network's affair.
    size = plan.target(picture) if plan.task.enlarges else None

    def bands() -> Iterator[Picture]:
        for band in restorer.bands(
            shown,
            size=size,
            condition=condition.value,
            strength=plan.strength,
            unharmed=not plan.engine.unchecked,
            on_tile=on_tile,
        ):
            yield band.as_rgb() if shown.gray and not picture.gray else band
            del band
        restoration.info = restorer.info

    restoration = Restoration(model, condition, damage, restorer.outline(picture, size), bands())
    return restoration


class Steps:
    """What is done to each picture of a run.  `read` and `write` may be called from several threads."""

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
        plan = self._plan
        try:
            data = self._stdin() if job.input is None else job.input.read_bytes()
        except OSError as error:
            raise ReadError(f"cannot read {job.input}: {error.strerror}") from error
        sha256 = hashlib.sha256(data).hexdigest()
        current = self._is_current(job, sha256)
        if current and job.reference is None:
            return FileDone(input=job.input_name, output=job.output_name, status="current")
        try:
            picture = files.read(data, max_pixels=plan.max_pixels)
            if plan.task.mosaic:
                picture = as_mosaic(picture, plan.pattern)
        except ReadError as error:
            # Every event names its input already.
            raise ReadError(str(error).removeprefix("input data: ")) from error
        target = plan.target(picture)
        files.check_fits(self._format(job, picture), *target, alpha=picture.alpha is not None)
        reference = None if job.reference is None else files.read(job.reference, max_pixels=plan.max_pixels)
        found = Input(picture, sha256, target, reference)
        if reference is not None and (reference.width, reference.height) != target:
            raise ImageError(
                f"reference {job.reference} is {reference.width}x{reference.height}, the result would be "
                f"{target[0]}x{target[1]}; give one of that size"
            )
        return self._measured_again(job, found) if current else found

    def restore(self, job: Job, found: Input, on_tile: OnTile) -> Restoration:
        """Choose the weights and the condition; the network runs when the bands are asked for."""
        return restoration_of(found.picture, self._plan, self._models, on_tile=on_tile)

    def write(self, job: Job, found: Input, restoration: Restoration, bands: Iterable[Picture]) -> FileDone:
        """Compare, encode and write, band by band where nothing needs the whole."""
        outline, condition = restoration.outline, restoration.condition
        format = self._format(job, outline)
        metrics = before = None
        if found.reference is None:
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
            self._save(job.output, pieces, found, restoration)
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
        output = files.read(job.output, max_pixels=self._plan.max_pixels)
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

    def _save(self, output: Path, pieces: Iterator[bytes], found: Input, restoration: Restoration) -> None:
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
                input_sha256=found.sha256,
                settings=self._plan.record_settings(output),
                weights_sha256=restoration.model.weights.sha256,
            )
            self._records.append(output.parent, record)
