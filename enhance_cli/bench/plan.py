"""Plans the benchmark: which network is measured at which setting on which set."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import get_args

from enhance_cli.arch.contract import Task
from enhance_cli.bench.datasets import KNOWN, Dataset
from enhance_cli.bench.protocols.choice import SIGMAS, TASKS, Values, settings
from enhance_cli.bench.protocols.contract import Setting, label
from enhance_cli.bench.protocols.jpeg import JpegColour
from enhance_cli.checkpoints import catalog
from enhance_cli.checkpoints.reader import LoadedNet, load_file, load_weights
from enhance_cli.checkpoints.wanted import Wanted
from enhance_cli.errors import UsageError

READY = ("matlab-y", "rgb", "jpeg-y", "jpeg-rgb", "awgn", "awgn-8bit", "motion", "bayer")
"""Protocols under which inputs found beside a set are taken; the others say how inputs are made."""
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
    options: Mapping[str, str] = field(default_factory=dict)
    """What foreign weights files leave open."""
    ensemble: bool = False
    """Average every network's results over flips and turns; those of the tier `best` are in any case."""


@dataclass(frozen=True)
class Work:
    """One row to be measured."""

    dataset: Dataset
    setting: Setting
    net: LoadedNet | None
    """None: the baseline alone."""
    ensemble: bool = False
    """Whether results are averaged over flips and turns."""

    @property
    def model(self) -> str | None:
        """Name of the network, with "+" behind it for the ensemble, as in the papers."""
        return f"{self.net.name}{'+' * self.ensemble}" if self.net else None

    @property
    def inputs(self) -> tuple[Path, ...] | None:
        """Ready-made inputs; None where they are made from the clean pictures."""
        ready = self.dataset.inputs.get(self.setting.name)
        return ready if self.dataset.paired or self.setting.protocol in READY else None

    @property
    def label(self) -> str:
        """The protocol and what else decides the figures, as rows tell it."""
        return label(self.setting) + (", inputs given" if self.inputs else "")


@dataclass(frozen=True)
class Candidate:
    """Weights that the user named; what they are fed depends on what they are to do."""

    name: str
    tasks: tuple[Task, ...]
    net_for: Callable[[Setting], LoadedNet]


def plan(datasets: Sequence[Dataset], choice: Choice, *, named: bool) -> tuple[Work, ...]:
    """Every row to be measured, before anything is computed.

    `named` says whether the user named the sets: then each is measured for the task asked for, whatever
    it is, else only where that is usual. Raises UsageError where the choice contradicts itself or leaves
    nothing to do, ModelError for an unknown model or a bad weights file.
    """
    load = cache(load_weights)
    candidates = [*_shelf(choice, load), *(_file(path, choice) for path in dict.fromkeys(choice.weights))]
    _check_names("models", [one.name for one in candidates])
    _check_names("sets", [dataset.name for dataset in datasets])
    asked = _tasks_asked(choice)
    works = [
        work
        for dataset in datasets
        for task in _tasks_of(dataset, asked, candidates, named=named)
        for setting in settings(task, choice.values)
        for work in _works(dataset, setting, candidates, choice, load)
    ]
    used = {work.net.name for work in works if work.net}
    idle = [one for one in candidates if one.name not in used]
    if idle or not works:
        raise UsageError(_nothing_fits(idle, datasets))
    # For photographs nothing stands in.
    if catalog.PHOTO in choice.models and not any(_has(catalog.PHOTO, work.setting) for work in works):
        raise UsageError(f"nothing that would be measured has a {catalog.PHOTO} model; leave it out")
    _check_rows(works)
    return tuple(works)


def _check_rows(works: Sequence[Work]) -> None:
    """Of what is measured at one setting, no two may be called the same."""
    seen: dict[tuple[str, Setting], list[str]] = {}
    for work in works:
        if work.model:
            seen.setdefault((work.dataset.name, work.setting), []).append(work.model)
    for names in seen.values():
        _check_names("models", names)


def _check_names(what: str, names: Sequence[str]) -> None:
    """Tables, pages and baselines tell rows apart by name."""
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"two {what} are called {twice}; rename one, or measure them one after the other")


def _shelf(choice: Choice, load: Load) -> Iterator[Candidate]:
    for name in dict.fromkeys(choice.models):
        if name != BASELINE_ONLY and name not in catalog.TIERS:
            yield _always(load(catalog.find(name)))


def _always(net: LoadedNet) -> Candidate:
    return Candidate(net.name, net.tasks, lambda setting: net)


def _file(path: Path, choice: Choice) -> Candidate:
    wanted = Wanted(task=choice.task, options=choice.options)

    @cache
    def load(task: Task, scale: int, condition: float | None) -> LoadedNet:
        return load_file(path, replace(wanted, task=task, scale=scale, condition=condition))

    def net_for(setting: Setting) -> LoadedNet:
        return load(setting.task, setting.scale, setting.condition)

    values = choice.values
    # Without a scale asked for, a file that does not show its own has to be told it.
    scale = values.scales[0] if values.scales else None
    first = load_file(path, replace(wanted, scale=scale, condition=(*values.sigmas, *SIGMAS)[0]))
    return Candidate(first.name, first.tasks, net_for)


def _tasks_asked(choice: Choice) -> set[Task]:
    """The tasks that options name; empty where they leave it to models and sets."""
    belongs = choice.values.tasks
    kin = TASKS.get(choice.values.protocol or "", ())
    stray = belongs - {choice.task, *(kin if choice.task in kin else ())}
    if choice.task is not None and stray:
        other = ", ".join(sorted(stray))
        raise UsageError(f"--task {choice.task} was given with options of {other}; leave one of them out")
    return {choice.task} if choice.task is not None else belongs


def _tasks_of(
    dataset: Dataset, asked: set[Task], candidates: Sequence[Candidate], *, named: bool
) -> Sequence[Task]:
    usual = dataset.tasks
    tasks = asked or {_task_of(one, usual) for one in candidates}
    if tasks:
        return [task for task in get_args(Task) if task in tasks and (named or task in usual)]
    if named and not usual:
        known = ", ".join(KNOWN)
        raise UsageError(f"{dataset.name} has no usual task (known sets: {known}); name one with --task")
    return usual[:1]


def _task_of(candidate: Candidate, usual: Sequence[Task]) -> Task:
    """What weights that can do several things are measured for on a set."""
    return next((task for task in usual if task in candidate.tasks), candidate.tasks[0])


def _works(
    dataset: Dataset, setting: Setting, candidates: Sequence[Candidate], choice: Choice, load: Load
) -> Iterator[Work]:
    if isinstance(setting, JpegColour) and dataset.gray:
        return
    tiers = [name for name in choice.models if name in catalog.TIERS]
    if not candidates and not choice.models:
        tiers = ["default"]
    works = [Work(dataset, setting, net, choice.ensemble) for net in _named(setting, candidates)]
    works += [_of_tier(tier, dataset, setting, choice, load) for tier in tiers]
    if not candidates and not tiers:
        works = [Work(dataset, setting, None)]
    # Two tiers may be served by the same weights.
    yield from {(id(work.net), work.ensemble): work for work in works}.values()


def _named(setting: Setting, candidates: Sequence[Candidate]) -> list[LoadedNet]:
    nets = [one.net_for(setting) for one in candidates if setting.task in one.tasks]
    return [net for net in nets if fits(net, setting)]


def fits(net: LoadedNet, setting: Setting) -> bool:
    """Whether the network is made for that setting."""
    return net.task == setting.task and (net.spec.pre_upsampled or net.spec.scale == setting.scale)


def _of_tier(tier: str, dataset: Dataset, setting: Setting, choice: Choice, load: Load) -> Work:
    """What is shipped of a tier; the baseline alone where nothing is shipped for the setting."""
    if not _has(tier, setting):
        return Work(dataset, setting, None)
    gray = setting.gray or dataset.gray
    net = load(catalog.of_tier(tier, setting.task, scale=setting.scale, gray=gray))
    return Work(dataset, setting, net, choice.ensemble or tier == catalog.ENSEMBLED)


def _has(tier: str, setting: Setting) -> bool:
    return setting.scale in catalog.scales(tier, setting.task)


def _nothing_fits(idle: Sequence[Candidate], datasets: Sequence[Dataset]) -> str:
    sets = ", ".join(dataset.name for dataset in datasets)
    if not idle:
        return (
            f"nothing on {sets} is measured so; name a set with --dataset, "
            "and one of colour pictures for --protocol jpeg-rgb"
        )
    one = idle[0]
    return (
        f"model {one.name} ({' and '.join(one.tasks)}) fits nothing that would be measured on {sets}; "
        "change --task, --scale or --dataset"
    )
