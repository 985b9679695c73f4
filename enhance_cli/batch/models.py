"""Which weights a picture takes, opened once each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from enhance_cli.batch.progress import WeightsUsed
from enhance_cli.checkpoints import catalog
from enhance_cli.checkpoints.catalog import Weights
from enhance_cli.engine.restorer import Restorer
from enhance_cli.engine.settings import EngineSettings
from enhance_cli.engine.sources import default_denoiser, from_catalog
from enhance_cli.errors import ModelError, UsageError
from enhance_cli.tasks import TASKS, Task

SIZE_SLACK = 1e-6
"""Sizes that were rounded to whole pixels may ask for slightly more than the factor meant."""


@dataclass(frozen=True)
class Model:
    """Weights that are ready."""

    restorer: Restorer
    weights: WeightsUsed
    chosen_for: float | None = None
    """Condition for which they were taken out of a foreign file with several networks."""


class Models:
    """The weights of one run: those named, or the catalog's of one tier by colour and enlargement."""

    def __init__(
        self,
        task: Task,
        settings: EngineSettings,
        *,
        name: str | None = None,
        file: Path | None = None,
        scale: float | None = None,
        condition: float | None = None,
        options: Mapping[str, str] | None = None,
    ) -> None:
        """ModelError if `name` is unknown, `file` is no weights file, or either is for another task.

        `name` may be a tier; it is "default" if neither is given.  `scale`, `condition` and `options` say
        which network of a foreign file is wanted, and what the file leaves open.
        """
        self._task: Task = task
        self._settings = settings
        self._opened: dict[str, Model] = {}
        self._tier = name if name in catalog.TIERS else "default"
        self.unasked = name is None and file is None
        """Whether the user left the choice of weights to the picture."""
        self._named: Weights | None = None
        self._file: Model | None = None
        self.fixed_name: str | None = None
        """Name of the weights if the user gave any."""
        self.fixed_scale: int | None = None
        """Their enlargement; None if none were given, or they serve any."""
        if file is not None:
            self._open_file(file, scale, condition, options or {})
        elif name is not None and name != self._tier:
            self._named = catalog.find(name)
            if self._named.task != task:
                raise ModelError(
                    f"{name} is for {self._named.task}, not for {task}; enhance models list shows all"
                )
            self.fixed_name = name
            if TASKS[task].enlarges and self._named.scale != 1:
                self.fixed_scale = self._named.scale

    def candidates(self, factor: float | None) -> tuple[WeightsUsed, ...]:
        """All weights that may serve; `factor` None: for any enlargement."""
        if self._file is not None:
            return (self._file.weights,)
        if self._named is not None:
            return (_used(self._named),)
        scales = catalog.scales(self._tier, self._task) if factor is None else [self._scale_for(factor)]
        tiers = [self._tier]
        if self.unasked and TASKS[self._task].looks_for and catalog.scales(catalog.PHOTO, self._task):
            tiers.append(catalog.PHOTO)
        found = [
            catalog.of_tier(tier, self._task, scale=scale, gray=gray)
            for tier in tiers
            for scale in scales
            for gray in (False, True)
        ]
        return tuple({one.name: _used(one) for one in found}.values())

    def model(self, *, gray: bool, factor: float, photo: bool = False) -> Model:
        """The weights for one picture; UsageError if none enlarges by so much.

        `photo`: those for photographs, where the user named none.
        """
        if self.fixed_scale is not None and factor > self.fixed_scale + SIZE_SLACK:
            raise UsageError(
                f"{self.fixed_name} enlarges {self.fixed_scale} times and {factor:g} times is asked for; "
                "give a smaller --scale or another --model"
            )
        if self._file is not None:
            return self._file
        weights = self._named
        if weights is None:
            scale = self._scale_for(factor)
            has_photo = photo and self.unasked and scale in catalog.scales(catalog.PHOTO, self._task)
            tier = catalog.PHOTO if has_photo else self._tier
            weights = catalog.of_tier(tier, self._task, scale=scale, gray=gray)
        if weights.name not in self._opened:
            restorer = Restorer(
                from_catalog(weights),
                self._settings,
                task=self._task,
                trained=weights.condition_range,
                denoiser=default_denoiser if self.unasked and TASKS[self._task].deconvolves else None,
            )
            self._opened[weights.name] = Model(restorer, _used(weights))
        return self._opened[weights.name]

    def _scale_for(self, factor: float) -> int:
        scales = catalog.scales(self._tier, self._task)
        fitting = [scale for scale in scales if scale >= factor - SIZE_SLACK]
        if scales and not fitting:
            raise UsageError(
                f"{factor:g} times as large (--scale) is more than shipped models give ({scales[-1]}); "
                "ask for less, or name other --weights"
            )
        return fitting[0] if fitting else 1

    def _open_file(
        self, path: Path, scale: float | None, condition: float | None, options: Mapping[str, str]
    ) -> None:
        # Only here: reading a file needs torch.
        from enhance_cli.checkpoints.reader import load_file
        from enhance_cli.checkpoints.wanted import Wanted

        net = load_file(path, Wanted(task=self._task, scale=scale, condition=condition, options=options))
        self._file = Model(
            Restorer.of(net, self._settings),
            WeightsUsed(net.name, net.sha256, net.licence, net.recognised),
            net.chosen_for,
        )
        self.fixed_name = net.name
        self.fixed_scale = None if net.spec.pre_upsampled else net.spec.scale


def _used(weights: Weights) -> WeightsUsed:
    return WeightsUsed(weights.name, weights.sha256, weights.licence)
