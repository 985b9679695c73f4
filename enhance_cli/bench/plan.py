"""Plans the benchmark: which network is measured at which setting on which set."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from enhance_cli.arch.contract import Task
from enhance_cli.bench.datasets import KNOWN, Dataset
from enhance_cli.bench.protocols import JpegColour, Setting, Values, settings
from enhance_cli.checkpoints import catalog
from enhance_cli.checkpoints.reader import LoadedNet, load_file, load_weights
from enhance_cli.errors import UsageError
from enhance_cli.imaging.files import read

BASELINE_ONLY = "none"
"""The model name that runs no network."""


Load = Callable[[catalog.Weights], LoadedNet]


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What is to be measured; everything left empty takes what is usual for the set."""

    task: Task | None = None
    values: Values = field(default_factory=Values)
    models: tuple[str, ...] = ()
    """Catalog names, or `BASELINE_ONLY`."""
    weights: tuple[Path, ...] = ()
    """Weights files."""


@dataclass(frozen=True)
class Work:
    """One row to be measured."""

    dataset: Dataset
    setting: Setting
    net: LoadedNet | None
    """None: the baseline alone."""


def plan(datasets: Sequence[Dataset], choice: Choice, *, named: bool) -> tuple[Work, ...]:
    """Every row to be measured, before anything is computed.

    `named` says whether the user named the sets: then each is measured for the task asked for, whatever
    it is, else only where that is usual. Raises UsageError where the choice contradicts itself or leaves
    nothing to do, ModelError for an unknown model or a bad weights file.
    """
    load = cache(load_weights)
    nets = [load(catalog.find(name)) for name in choice.models if name != BASELINE_ONLY]
    nets += [load_file(path) for path in choice.weights]
    asked = _tasks_asked(choice, nets)
    works = [
        work
        for dataset in datasets
        for task in _tasks_of(dataset, asked, named=named)
        for setting in settings(task, choice.values)
        for work in _works(dataset, setting, nets, choice, load)
    ]
    idle = [net for net in nets if all(work.net is not net for work in works)]
    if idle or not works:
        raise UsageError(_nothing_fits(idle, datasets))
    return tuple(works)


def _tasks_asked(choice: Choice, nets: Sequence[LoadedNet]) -> set[str]:
    """The tasks that options and models name; empty where they leave it to the set."""
    belongs = choice.values.tasks
    if choice.task is not None and belongs - {choice.task}:
        other = ", ".join(sorted(belongs - {choice.task}))
        raise UsageError(f"--task {choice.task} was given with options of {other}; leave one of them out")
    if choice.task is not None:
        return {choice.task}
    return set(belongs) or {net.task for net in nets}


def _tasks_of(dataset: Dataset, asked: set[str], *, named: bool) -> Sequence[Task]:
    if asked and named:
        every: tuple[Task, ...] = ("sr", "dejpeg", "denoise", "deblur")
        return [task for task in every if task in asked]
    if asked:
        return [task for task in dataset.tasks if task in asked]
    if named and not dataset.tasks:
        known = ", ".join(KNOWN)
        raise UsageError(f"{dataset.name} has no usual task (known sets: {known}); name one with --task")
    return dataset.tasks[:1]


def _works(
    dataset: Dataset, setting: Setting, nets: Sequence[LoadedNet], choice: Choice, load: Load
) -> Iterator[Work]:
    if isinstance(setting, JpegColour) and _is_gray(dataset):
        return
    if nets:
        yield from (Work(dataset, setting, net) for net in nets if fits(net, setting))
    elif BASELINE_ONLY in choice.models:
        yield Work(dataset, setting, None)
    else:
        yield Work(dataset, setting, _default_net(dataset, setting, load))


def fits(net: LoadedNet, setting: Setting) -> bool:
    """Whether the network is made for that setting."""
    return net.task == setting.task and (net.spec.pre_upsampled or net.spec.scale == setting.scale)


def _default_net(dataset: Dataset, setting: Setting, load: Load) -> LoadedNet | None:
    """The shipped default; None where nothing is shipped for the setting, which leaves the baseline."""
    shipped = {(weights.task, weights.scale) for weights in catalog.catalog()}
    if (setting.task, setting.scale) not in shipped:
        return None
    gray = setting.gray or _is_gray(dataset)
    return load(catalog.default_for(setting.task, scale=setting.scale, gray=gray))


def _is_gray(dataset: Dataset) -> bool:
    """Sets are of one kind, but for a stray gray picture among colour ones (Set14)."""
    return read(dataset.images[0]).gray


def _nothing_fits(idle: Sequence[LoadedNet], datasets: Sequence[Dataset]) -> str:
    sets = ", ".join(dataset.name for dataset in datasets)
    if not idle:
        return (
            f"nothing on {sets} is measured so; name a set with --dataset, "
            "and one of colour pictures for --colour"
        )
    net = idle[0]
    return (
        f"model {net.name} ({net.task} x{net.spec.scale}) fits nothing that would be measured on {sets}; "
        "change --task, --scale or --dataset"
    )
