"""Runs the benchmark: yields one row after the other as they are finished."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from enhance_cli.bench.papers import published
from enhance_cli.bench.plan import Work
from enhance_cli.bench.protocols.clean import Undamaged
from enhance_cli.bench.protocols.contract import (
    Case,
    Clean,
    Levels,
    Metrics,
    Setting,
    rounded_luma,
    to_levels,
)
from enhance_cli.bench.report import Cost, Row, Score
from enhance_cli.checkpoints.inspect import all_parameters, n_parameters, work_per_megapixel
from enhance_cli.checkpoints.reader import LoadedNet
from enhance_cli.engine.ensemble import SYMMETRIES
from enhance_cli.engine.restorer import Restorer
from enhance_cli.engine.settings import EngineSettings
from enhance_cli.errors import ImageError
from enhance_cli.imaging.colour import rgb_to_y, to_float
from enhance_cli.imaging.files import read
from enhance_cli.imaging.picture import Picture, Plane
from enhance_cli.imaging.resize import imresize
from enhance_cli.process import peak_megabytes

Baselines = dict[Path, Metrics]
Extra = Callable[[Clean, Clean], Metrics]


@dataclass(frozen=True)
class Shown:
    """The pictures behind one score, for reports that show them; (H, W, C) uint8 of the reference's size."""

    image: str
    baseline: Clean
    result: Clean | None
    reference: Clean


def run(
    works: Sequence[Work],
    engine: EngineSettings,
    on_picture: Callable[[Work, int], None] = lambda work, done: None,
    *,
    on_shown: Callable[[Work, Shown], None] | None = None,
    seed: int = 0,
    extra: Extra | None = None,
) -> Iterator[Row]:
    """Measure `works` one by one; `on_picture(work, done)` is called after each picture of a row.

    The seed of a picture's noise or blur is `seed` plus its number in the set, from 0 in the order of names.
    Whether results are averaged over flips and turns is told by the works, not by `engine`.
    Pictures go through one at a time, so memory is that of one picture. A picture that cannot be read or
    restored raises its ImageError: a mean over fewer pictures would not be the set's. `extra(result,
    reference)` gives further metrics, of the 8-bit pictures.
    """
    restorers: dict[tuple[int, bool], Restorer] = {}
    baselines: dict[tuple[str, Setting], Baselines] = {}
    for work in works:
        of = id(work.net), work.ensemble
        if work.net is not None and of not in restorers:
            restorers[of] = Restorer.of(work.net, replace(engine, ensemble=work.ensemble))
        restorer = restorers[of] if work.net else None
        known = baselines.setdefault((work.dataset.name, work.setting), {})
        scores = []
        for number in range(len(work.dataset.images)):
            try:
                score, shown = _score(work, number, seed, restorer, known, extra)
            except ImageError as error:
                where = f"{work.dataset.name} {work.setting.name}, {work.dataset.images[number].name}"
                raise type(error)(f"{where}: {error}") from error
            scores.append(score)
            if on_shown:
                on_shown(work, shown)
            on_picture(work, number + 1)
        yield _row(work, tuple(scores), seed)


def _score(
    work: Work,
    number: int,
    seed: int,
    restorer: Restorer | None,
    known: Baselines,
    extra: Extra | None,
) -> tuple[Score, Shown]:
    path, setting = work.dataset.images[number], work.setting
    case, name = _case(work, number, seed), work.dataset.name_of(path)

    def measure(result: Levels) -> Metrics:
        more: Metrics = {}
        if extra:
            # A luma network that was given floats has nothing but luma to compare.
            alike = result.shape[2] == case.reference.shape[2]
            more = extra(_eight_bit(result), case.reference if alike else rounded_luma(case.reference))
        return {**setting.measure(result, case.reference), **more}

    if path not in known:
        known[path] = measure(case.baseline)
    start = time.perf_counter()
    result = restore(restorer, case, setting) if restorer else None
    seconds = time.perf_counter() - start
    metrics = measure(result) if result is not None else {}
    height, width = case.reference.shape[:2]
    score = Score(name, known[path], metrics, seconds, height * width / 1e6)
    return score, Shown(
        image=name,
        baseline=_eight_bit(case.baseline),
        result=None if result is None else _eight_bit(result),
        reference=case.reference,
    )


def _case(work: Work, number: int, seed: int) -> Case:
    clean = _clean(work.dataset.images[number])
    if work.inputs:
        return work.setting.accept(clean, _clean(work.inputs[number]))
    return work.setting.degrade(clean, seed + number)


def _clean(path: Path) -> Clean:
    pixels = read(path).pixels
    # The protocols are about 8 bits; a deeper reference is brought to them once, here.
    return np.asarray(pixels, np.uint8) if pixels.dtype == np.uint8 else to_levels(to_float(pixels))


def _eight_bit(x: Levels) -> Clean:
    return np.asarray(x, np.uint8) if x.dtype == np.uint8 else to_levels(x / np.float32(255))


def restore(restorer: Restorer, case: Case, setting: Setting) -> Levels:
    """The network's result on the 0..255 scale: rounded to 8 bits as a file would be, unless `setting.exact`.

    (H, W, C) of the reference's size; (H, W, 1) luma where a luma network was given floats of colour.
    """
    condition = _told(restorer, case, setting)
    if case.given.dtype != np.uint8:
        x = np.asarray(case.given, np.float32) / np.float32(255)
        y = _restore_float(restorer, x, case.reference.shape[:2], condition)
        return y.clip(0, 1) * np.float32(255) if setting.exact else to_levels(y)
    picture = Picture(pixels=np.asarray(case.given, np.uint8))
    restored = restorer.restore(picture, scale=setting.scale, condition=condition)
    return np.asarray(restored.picture.pixels, np.uint8)


def _told(restorer: Restorer, case: Case, setting: Setting) -> float | None:
    """The strength, for a network that asks for it."""
    if restorer.spec.condition is None:
        return None
    if isinstance(setting, Undamaged):
        picture = Picture(pixels=np.asarray(case.given, np.uint8))
        return restorer.find_condition(picture).value
    return setting.condition


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


def _row(work: Work, scores: tuple[Score, ...], seed: int) -> Row:
    net, setting = work.net, work.setting
    paper = None
    # A part of a set has no figure in any paper, and neither has blur that we made.
    whole = work.dataset.complete and not work.dataset.cut
    theirs = setting.task != "deblur" or work.inputs is not None
    if net is not None and whole and theirs:
        paper = published(
            net.arch,
            all_parameters(net),
            task=setting.task,
            dataset=work.dataset.name,
            setting=setting.name.removesuffix(" rgb"),
            protocol=setting.protocol,
            gray=setting.gray or work.dataset.gray,
            one_channel=net.spec.colour != "rgb",
            ensemble=work.ensemble,
        )
    return Row(
        task=setting.task,
        dataset=work.dataset.name,
        setting=setting.name,
        protocol=work.label,
        ensemble=work.ensemble,
        seed=seed,
        baseline_name=setting.baseline,
        model=work.model,
        weights=net.sha256 if net else None,
        scores=scores,
        paper=paper,
        cost=None if net is None else cost_of(net, work.ensemble),
    )


def cost_of(net: LoadedNet, ensemble: bool) -> Cost:
    """What the network asks of a machine; the memory is that of this process, so far."""
    once = work_per_megapixel(net)
    return Cost(
        parameters=n_parameters(net),
        gmac_per_megapixel=once if once is None or not ensemble else SYMMETRIES * once,
        peak_memory_mb=peak_megabytes(),
    )
