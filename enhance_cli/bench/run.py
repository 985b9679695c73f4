"""Runs the benchmark: yields one row after the other as they are finished.

This is the only file of the benchmark that calls the engine.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from enhance_cli.bench.papers import published
from enhance_cli.bench.plan import PlannedRow
from enhance_cli.bench.protocols.contract import Case, Setting
from enhance_cli.bench.report import Cost, Row, Score
from enhance_cli.checkpoints.inspect import all_parameters, n_parameters, work_per_megapixel
from enhance_cli.checkpoints.reader import LoadedNet
from enhance_cli.engine.damage import find_damage
from enhance_cli.engine.ensemble import SYMMETRIES
from enhance_cli.engine.restorer import Restorer
from enhance_cli.engine.settings import EngineSettings
from enhance_cli.engine.sources import default_denoiser
from enhance_cli.errors import ImageError
from enhance_cli.imaging.colour import rgb_to_y
from enhance_cli.imaging.files import read
from enhance_cli.imaging.picture import Picture, Plane
from enhance_cli.imaging.resize import imresize
from enhance_cli.metrics.measure import EightBit, Levels, Metrics, eight_bit, rounded_luma
from enhance_cli.process import peak_megabytes
from enhance_cli.tasks import TASKS

ExtraMetrics = Callable[[EightBit, EightBit], Metrics]


@dataclass(frozen=True)
class ShownPictures:
    """The pictures behind one score, for reports that show them; (H, W, C) uint8 of the reference's size."""

    image: str
    gain: float | None
    """How much the result is better by its leading metric, in dB; None where no network was run."""
    baseline: EightBit
    result: EightBit | None
    reference: EightBit


def run(
    plan: Sequence[PlannedRow],
    engine: EngineSettings,
    on_picture: Callable[[PlannedRow, int], None] = lambda planned, done: None,
    *,
    on_shown: Callable[[PlannedRow, ShownPictures], None] | None = None,
    seed: int = 0,
    extra: ExtraMetrics | None = None,
) -> Iterator[Row]:
    """Measure the rows of `plan` one by one; `on_picture(row, done)` is called after each picture of a row.

    The seed of a picture's noise or blur is `seed` plus its number in the set, from 0 in the order of names.
    Whether results are averaged over flips and turns is told by the plan, not by `engine`.
    Pictures go through one at a time, so memory is that of one picture. A picture that cannot be read or
    restored raises its ImageError: a mean over fewer pictures would not be the set's. `extra(result,
    reference)` gives further metrics, of the 8-bit pictures.
    """
    restorers: dict[tuple[int, bool, bool], Restorer] = {}

    def opened(net: LoadedNet, ensemble: bool, unasked: bool) -> Restorer:
        """`unasked`: with what the commands do beside the network where no weights are named."""
        key = id(net), ensemble, unasked
        if key not in restorers:
            denoiser = default_denoiser if unasked and TASKS[net.task].deconvolves else None
            restorers[key] = Restorer.of(net, replace(engine, ensemble=ensemble), denoiser=denoiser)
        return restorers[key]

    baselines: dict[tuple[str, Setting, Path], Metrics] = {}
    for planned in plan:
        scores = []
        for number, image in enumerate(planned.dataset.images):
            try:
                score, shown = _score(planned, number, seed, opened, baselines, extra)
            except ImageError as error:
                where = f"{planned.dataset.name} {planned.setting.name}, {image.name}"
                raise type(error)(f"{where}: {error}") from error
            scores.append(score)
            if on_shown:
                on_shown(planned, shown)
            on_picture(planned, number + 1)
        yield _row(planned, tuple(scores), seed)


def _score(
    planned: PlannedRow,
    number: int,
    seed: int,
    opened: Callable[[LoadedNet, bool, bool], Restorer],
    baselines: dict[tuple[str, Setting, Path], Metrics],
    extra: ExtraMetrics | None,
) -> tuple[Score, ShownPictures]:
    path, setting = planned.dataset.images[number], planned.setting
    # The protocols are about 8 bits; a deeper reference is brought to them once, here.
    clean = eight_bit(read(path).pixels)
    if planned.inputs:
        case = setting.accept(clean, eight_bit(read(planned.inputs[number]).pixels))
    else:
        case = setting.degrade(clean, seed + number)

    def measure(result: Levels) -> Metrics:
        more: Metrics = {}
        if extra:
            # A luma network that was given floats has nothing but luma to compare.
            same_colour = result.shape[2] == case.reference.shape[2]
            more = extra(_as_file(result), case.reference if same_colour else rounded_luma(case.reference))
        return {**setting.measure(result, case.reference), **more}

    key = planned.dataset.name, setting, path
    if key not in baselines:
        baselines[key] = measure(case.baseline)
    start = time.perf_counter()
    result = None
    if planned.net is not None:
        net: LoadedNet | None = planned.net
        if planned.unasked:
            damage = find_damage(_picture(case), TASKS[setting.task])
            photo = damage is not None and damage.needs_photo_weights
            net = planned.photo_net or planned.net if photo else planned.net
            net = None if damage is not None and damage.kind == "none" else net
        result = (
            case.given
            if net is None
            else restore(
                opened(net, planned.ensemble, planned.unasked), case, setting, unharmed=planned.unasked
            )
        )
    seconds = time.perf_counter() - start
    height, width = case.reference.shape[:2]
    score = Score(
        image=planned.dataset.name_of(path),
        baseline=baselines[key],
        metrics={} if result is None else measure(result),
        seconds=seconds,
        megapixels=height * width / 1e6,
    )
    return score, ShownPictures(
        image=score.image,
        gain=score.gain,
        baseline=_as_file(case.baseline),
        result=None if result is None else _as_file(result),
        reference=case.reference,
    )


def _as_file(x: Levels) -> EightBit:
    """The picture as a file of 8 bits would hold it."""
    return eight_bit(x if x.dtype == np.uint8 else x / np.float32(255))


def restore(restorer: Restorer, case: Case, setting: Setting, *, unharmed: bool = False) -> Levels:
    """The network's result on the 0..255 scale: rounded to 8 bits as a file would be, unless `setting.exact`.

    (H, W, C) of the reference's size; (H, W, 1) luma where a luma network was given floats of colour.
    """
    condition = None
    if restorer.spec.condition is not None:
        condition = setting.condition
        if setting.unasked:
            condition = restorer.find_condition(_picture(case)).value
    if case.given.dtype != np.uint8:
        x = np.asarray(case.given, np.float32) / np.float32(255)
        y = _restore_float(restorer, x, case.reference.shape[:2], condition)
        return y.clip(0, 1) * np.float32(255) if setting.exact else eight_bit(y)
    restored = restorer.restore(_picture(case), scale=setting.scale, condition=condition, unharmed=unharmed)
    return np.asarray(restored.picture.pixels, np.uint8)


def _picture(case: Case) -> Picture:
    return Picture(pixels=np.asarray(case.given, np.uint8))


def _restore_float(restorer: Restorer, x: Plane, size: tuple[int, int], condition: float | None) -> Plane:
    """Restore (H, W, C) in nominal 0..1, with as many channels as the network takes, to `size`."""
    spec = restorer.spec
    if spec.colour == "y" and x.shape[2] == 3:
        x = rgb_to_y(x)
    if spec.pre_upsampled and x.shape[:2] != size:
        # In double precision: what is enlarged is what float protocols are about.
        x = np.asarray(imresize(x.astype(np.float64), size), np.float32)
    channels = 3 if spec.colour == "rgb" else 1
    if x.shape[2] == channels:
        return restorer.restore_plane(x, condition)
    if channels == 1:
        planes = [restorer.restore_plane(x[..., c : c + 1], condition) for c in range(x.shape[2])]
        return np.concatenate(planes, axis=2)
    return restorer.restore_plane(np.repeat(x, 3, axis=2), condition).mean(axis=2, keepdims=True)


def _row(planned: PlannedRow, scores: tuple[Score, ...], seed: int) -> Row:
    net, setting, dataset = planned.net, planned.setting, planned.dataset
    paper = None
    # A part of a set has no figure in any paper, and neither has damage that we alone make.
    is_whole = dataset.complete and not dataset.cut
    is_theirs = setting.published or planned.inputs is not None
    if net is not None and is_whole and is_theirs:
        paper = published(
            net.arch,
            all_parameters(net),
            task=setting.task,
            dataset=dataset.name,
            setting=setting.name.removesuffix(" rgb"),
            protocol=setting.protocol,
            gray=setting.gray or dataset.gray,
            one_channel=net.spec.colour != "rgb",
            ensemble=planned.ensemble,
        )
    return Row(
        task=setting.task,
        dataset=dataset.name,
        setting=setting.name,
        protocol=planned.protocol,
        ensemble=planned.ensemble,
        seed=seed,
        baseline_name=setting.baseline,
        model=planned.model,
        weights=net.sha256 if net else None,
        scores=scores,
        paper=paper,
        cost=None if net is None else cost_of(net, planned.ensemble),
    )


def cost_of(net: LoadedNet, ensemble: bool) -> Cost:
    """What the network asks of a machine; the memory is that of this process, so far."""
    once = work_per_megapixel(net)
    return Cost(
        parameters=n_parameters(net),
        gmac_per_megapixel=once if once is None or not ensemble else SYMMETRIES * once,
        peak_memory_mb=peak_megabytes(),
    )
