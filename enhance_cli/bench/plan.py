"""Plans the benchmark: which network is measured at which setting on which set."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import get_args

from enhance_cli.arch.contract import Task
from enhance_cli.bench.datasets.find import Dataset
from enhance_cli.bench.datasets.known import KNOWN_SETS
from enhance_cli.bench.protocols.choice import PROTOCOLS, SIGMAS, Values, settings
from enhance_cli.bench.protocols.contract import Setting
from enhance_cli.checkpoints import catalog
from enhance_cli.checkpoints.reader import LoadedNet, load_file, load_weights
from enhance_cli.checkpoints.wanted import Wanted
from enhance_cli.errors import UsageError
from enhance_cli.tasks import TASKS

BASELINE_ONLY = "none"
"""The model name that runs no network."""
UNASKED = "unasked"
"""The name of rows in which each picture decides on its weights."""

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

    @property
    def tasks(self) -> set[Task]:
        """The tasks that options name; empty where they leave it to models and sets.

        UsageError if they contradict each other.
        """
        belongs, protocol = self.values.tasks, self.values.protocol
        if self.task is None:
            return belongs
        related = PROTOCOLS[protocol].tasks if protocol else ()
        stray = belongs - {self.task, *(related if self.task in related else ())}
        if protocol and self.task not in related:
            stray |= set(related)
        if stray:
            other = ", ".join(sorted(stray))
            raise UsageError(f"--task {self.task} was given with options of {other}; leave one of them out")
        return {self.task}


@dataclass(frozen=True)
class PlannedRow:
    """One row to be measured."""

    dataset: Dataset
    setting: Setting
    net: LoadedNet | None
    """None: the baseline alone."""
    ensemble: bool = False
    """Whether results are averaged over flips and turns."""
    photo_net: LoadedNet | None = None
    """Of a row that measures what `enhance` does unasked: what serves photographs, in place of `net`."""
    unasked: bool = False
    """Whether each picture decides on its weights, or is left alone, as where the user names none."""

    @property
    def model(self) -> str | None:
        """Name of the network, with "+" behind it for the ensemble, as in the papers."""
        if self.net is None:
            return None
        return f"{UNASKED if self.unasked else self.net.name}{'+' * self.ensemble}"

    @property
    def inputs(self) -> tuple[Path, ...] | None:
        """Ready-made inputs; None where they are made from the clean pictures."""
        found = self.dataset.inputs.get(self.setting.inputs)
        return found if self.dataset.paired or self.setting.takes_inputs else None

    @property
    def protocol(self) -> str:
        """The protocol and what else decides the figures, as rows tell it."""
        made_elsewhere = self.inputs and not self.setting.needs_inputs
        return self.setting.label + (", inputs given" if made_elsewhere else "")


@dataclass(frozen=True)
class NamedWeights:
    """Weights that the user named; what they are fed depends on what they are to do."""

    name: str
    tasks: tuple[Task, ...]
    net_for: Callable[[Setting], LoadedNet]

    @classmethod
    def of_net(cls, net: LoadedNet) -> NamedWeights:
        """One network, whatever it is to do."""
        return cls(net.name, net.tasks, lambda setting: net)

    @classmethod
    def of_file(cls, path: Path, choice: Choice) -> NamedWeights:
        """Weights of a file, which may hold several networks; ModelError for one that cannot be read."""
        wanted = Wanted(task=choice.task, options=choice.options)

        @cache
        def load(task: Task, scale: int, condition: float | None) -> LoadedNet:
            return load_file(path, replace(wanted, task=task, scale=scale, condition=condition))

        values = choice.values
        # Without a scale asked for, a file that does not show its own has to be told it.
        scale = values.scales[0] if values.scales else None
        first = load_file(path, replace(wanted, scale=scale, condition=(*values.sigmas, *SIGMAS)[0]))
        return cls(
            first.name, first.tasks, lambda setting: load(setting.task, setting.scale, setting.condition)
        )

    def task_on(self, dataset: Dataset) -> Task:
        """What they are measured for on a set, of the several things that they may be able to do."""
        return next((task for task in dataset.tasks if task in self.tasks), self.tasks[0])


def plan(datasets: Sequence[Dataset], choice: Choice, *, named: bool) -> tuple[PlannedRow, ...]:
    """Every row to be measured, before anything is computed.

    `named` says whether the user named the sets: then each is measured for the task asked for, whatever
    it is, else only where that is usual. Raises UsageError where the choice contradicts itself or leaves
    nothing to do, ModelError for an unknown model or a bad weights file.
    """
    load = cache(load_weights)
    tiers = [name for name in dict.fromkeys(choice.models) if name in catalog.TIERS]
    names = [name for name in dict.fromkeys(choice.models) if name not in (BASELINE_ONLY, *tiers)]
    weights = [
        *(NamedWeights.of_net(load(catalog.find(name))) for name in names),
        *(NamedWeights.of_file(path, choice) for path in dict.fromkeys(choice.weights)),
    ]
    if not weights and not choice.models:
        tiers = ["default"]
    _check_names("models", [one.name for one in weights])
    _check_names("sets", [dataset.name for dataset in datasets])
    asked = choice.tasks
    rows: list[PlannedRow] = []
    for dataset in datasets:
        for task in _tasks_of(dataset, asked or {one.task_on(dataset) for one in weights}, named=named):
            for setting in settings(task, choice.values, dataset.protocol):
                # Unasked, sets of real pairs are measured as pairs alone.
                needs_inputs = setting.needs_inputs or (dataset.protocol is not None and not named)
                has_inputs = setting.takes_inputs and setting.inputs in dataset.inputs
                if (has_inputs or not needs_inputs) and not (setting.needs_colour and dataset.gray):
                    rows += _rows(dataset, setting, weights, tiers, choice, load)
    used = {row.net.name for row in rows if row.net}
    idle = [one for one in weights if one.name not in used]
    sets = ", ".join(dataset.name for dataset in datasets)
    if idle:
        model = f"model {idle[0].name} ({' and '.join(idle[0].tasks)})"
        raise UsageError(
            f"{model} fits nothing that would be measured on {sets}; change --task, --scale or --dataset"
        )
    if not rows:
        raise UsageError(
            f"nothing on {sets} is measured so; name a set with --dataset, one of colour pictures for "
            "--protocol jpeg-rgb, one of real pairs for --protocol real"
        )
    # For photographs nothing stands in.
    if catalog.PHOTO in choice.models and not any(_has(catalog.PHOTO, row.setting) for row in rows):
        raise UsageError(f"nothing that would be measured has a {catalog.PHOTO} model; leave it out")
    seen: dict[tuple[str, Setting], list[str]] = {}
    for row in rows:
        if row.model:
            seen.setdefault((row.dataset.name, row.setting), []).append(row.model)
    for names in seen.values():
        _check_names("models", names)
    return tuple(rows)


def _check_names(what: str, names: Sequence[str]) -> None:
    """Tables, pages and baselines tell rows apart by name."""
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"two {what} are called {twice}; rename one, or measure them one after the other")


def _tasks_of(dataset: Dataset, wanted: set[Task], *, named: bool) -> Sequence[Task]:
    """Those of the wanted ones that are measured on a set; without any, its usual one."""
    if wanted:
        return [task for task in get_args(Task) if task in wanted and (named or task in dataset.tasks)]
    if named and not dataset.tasks:
        known = ", ".join(KNOWN_SETS)
        raise UsageError(f"{dataset.name} has no usual task (known sets: {known}); name one with --task")
    return dataset.tasks[:1]


def _rows(
    dataset: Dataset,
    setting: Setting,
    weights: Sequence[NamedWeights],
    tiers: Sequence[str],
    choice: Choice,
    load: Load,
) -> Iterator[PlannedRow]:
    """The rows of one setting on one set; the baseline alone where no network is asked for."""
    nets = [one.net_for(setting) for one in weights if setting.task in one.tasks]
    rows = [PlannedRow(dataset, setting, net, choice.ensemble) for net in nets if fits(net, setting)]
    rows += [_of_tier(tier, dataset, setting, choice, load) for tier in tiers]
    if not weights and not tiers:
        rows = [PlannedRow(dataset, setting, None)]
    # Two tiers may be served by the same weights.
    yield from {(id(row.net), row.ensemble): row for row in rows}.values()


def fits(net: LoadedNet, setting: Setting) -> bool:
    """Whether the network is made for that setting."""
    return net.task == setting.task and (net.spec.pre_upsampled or net.spec.scale == setting.scale)


def _of_tier(tier: str, dataset: Dataset, setting: Setting, choice: Choice, load: Load) -> PlannedRow:
    """What is shipped of a tier; the baseline alone where nothing is shipped for the setting."""
    if not _has(tier, setting):
        return PlannedRow(dataset, setting, None)
    gray = setting.gray or dataset.gray
    net = load(catalog.of_tier(tier, setting.task, scale=setting.scale, gray=gray))
    ensemble = choice.ensemble or tier == catalog.ENSEMBLED
    # With a tier named, the user has chosen.
    if not (setting.unasked and TASKS[setting.task].looks_for) or choice.models:
        return PlannedRow(dataset, setting, net, ensemble)
    photo = None
    if _has(catalog.PHOTO, setting):
        photo = load(catalog.of_tier(catalog.PHOTO, setting.task, scale=setting.scale, gray=gray))
    return PlannedRow(dataset, setting, net, ensemble, photo, unasked=True)


def _has(tier: str, setting: Setting) -> bool:
    return setting.scale in catalog.scales(tier, setting.task)
