"""Runs the benchmark: yields one row after the other as they are finished."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from enhance_cli.bench.papers import published
from enhance_cli.bench.plan import Work
from enhance_cli.bench.protocols import Clean, Levels, Metrics, Setting, to_levels
from enhance_cli.bench.report import Row, Score
from enhance_cli.engine.mosaics import restore_mosaic
from enhance_cli.engine.restorer import Restorer
from enhance_cli.engine.settings import EngineSettings
from enhance_cli.errors import ImageError
from enhance_cli.imaging.colour import to_float
from enhance_cli.imaging.files import read
from enhance_cli.imaging.picture import Picture, Plane

Baselines = dict[Path, Metrics]


def run(
    works: Sequence[Work],
    engine: EngineSettings,
    on_picture: Callable[[Work, int], None] = lambda work, done: None,
) -> Iterator[Row]:
    """Measure `works` one by one; `on_picture(work, done)` is called after each picture of a row.

    The seed of a picture's noise or blur is its number in the set, from 0 in the order of the names.
    Pictures go through one at a time, so memory is that of one picture. A picture that cannot be read or
    restored raises its ImageError: a mean over fewer pictures would not be the set's.
    """
    restorers: dict[int, Restorer] = {}
    baselines: dict[Setting, Baselines] = {}
    for work in works:
        if work.net is not None and id(work.net) not in restorers:
            restorers[id(work.net)] = Restorer(work.net, engine)
        restorer = restorers[id(work.net)] if work.net else None
        known = baselines.setdefault(work.setting, {})
        scores = []
        for number, path in enumerate(work.dataset.images):
            try:
                scores.append(_score(path, number, work.setting, restorer, known))
            except ImageError as error:
                raise type(error)(f"{work.dataset.name} {work.setting.name}, {path.name}: {error}") from error
            on_picture(work, number + 1)
        yield _row(work, tuple(scores), ensemble=engine.ensemble)


def _score(path: Path, seed: int, setting: Setting, restorer: Restorer | None, known: Baselines) -> Score:
    case = setting.degrade(_clean(path), seed)
    if path not in known:
        known[path] = setting.measure(case.baseline, case.reference)
    start = time.perf_counter()
    result = restore(restorer, case.given, setting) if restorer else None
    seconds = time.perf_counter() - start
    metrics = setting.measure(result, case.reference) if result is not None else {}
    height, width = case.reference.shape[:2]
    return Score(path.name, known[path], metrics, seconds, height * width / 1e6)


def _clean(path: Path) -> Clean:
    pixels = read(path).pixels
    # The protocols are about 8 bits; a deeper reference is brought to them once, here.
    return np.asarray(pixels, np.uint8) if pixels.dtype == np.uint8 else to_levels(to_float(pixels))


def restore(restorer: Restorer, given: Levels, setting: Setting) -> Clean:
    """The network's result for (H, W, C) on the 0..255 scale, rounded to 8 bits as a file would be."""
    condition = setting.condition if restorer.net.spec.condition else None
    if given.dtype == np.uint8:
        picture = Picture(pixels=np.asarray(given, dtype=np.uint8))
        if setting.task == "demosaic":
            return np.asarray(restore_mosaic(restorer, picture).picture.pixels, dtype=np.uint8)
        restored = restorer.restore(picture, scale=setting.scale, condition=condition)
        return np.asarray(restored.picture.pixels, dtype=np.uint8)
    x = np.asarray(given, dtype=np.float32) / np.float32(255)
    return to_levels(_restore_float(restorer, x, condition))


def _restore_float(restorer: Restorer, x: Plane, condition: float | None) -> Plane:
    """Restore (H, W, C) in nominal 0..1, with as many channels as the network takes."""
    channels = 3 if restorer.net.spec.colour == "rgb" else 1
    if x.shape[2] == channels:
        return restorer.restore_plane(x, condition)
    if channels == 1:
        planes = [restorer.restore_plane(x[..., c : c + 1], condition) for c in range(x.shape[2])]
        return np.concatenate(planes, axis=2)
    return restorer.restore_plane(np.repeat(x, 3, axis=2), condition).mean(axis=2, keepdims=True)


def _row(work: Work, scores: tuple[Score, ...], *, ensemble: bool) -> Row:
    net, setting = work.net, work.setting
    paper = None
    if net is not None:
        paper = published(
            net.arch,
            net.parameters,
            task=setting.task,
            dataset=work.dataset.name,
            setting=setting.name.removesuffix(" rgb"),
            gray=setting.gray or work.dataset.gray,
            ensemble=ensemble,
        )
    return Row(
        task=work.setting.task,
        dataset=work.dataset.name,
        setting=work.setting.name,
        baseline_name=work.setting.baseline,
        model=work.net.name if work.net else None,
        weights=work.net.sha256 if work.net else None,
        scores=scores,
        paper=paper,
    )
