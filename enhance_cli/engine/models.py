"""Which weights a picture takes, loaded once each."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

from enhance_cli.arch.contract import Task
from enhance_cli.checkpoints import catalog
from enhance_cli.checkpoints.catalog import Weights
from enhance_cli.checkpoints.reader import load_file, load_weights
from enhance_cli.checkpoints.wanted import Wanted
from enhance_cli.engine.progress import WeightsUsed
from enhance_cli.engine.restorer import Restorer
from enhance_cli.engine.settings import EngineSettings
from enhance_cli.errors import ModelError, UsageError

Range = tuple[float, float]
SLACK = 1e-6
"""Sizes that were rounded to whole pixels may ask for slightly more than the factor meant."""


@dataclass(frozen=True)
class Model:
    """Weights on their device, and the conditions they were trained for."""

    restorer: Restorer
    condition_range: Range | None
    used: WeightsUsed


class Models:
    """The weights of one run: those named, or the catalog's of one tier by colour and enlargement."""

    def __init__(
        self,
        task: Task,
        settings: EngineSettings,
        *,
        name: str | None,
        file: Path | None,
        wanted: Wanted | None = None,
    ) -> None:
        """ModelError if `name` is unknown, `file` is no weights file, or either is for another task.

        `name` may be a tier; it is "default" if neither is given.  `wanted`: what a foreign `file` may
        leave open; its task is `task`.
        """
        self._task = task
        self._settings = settings
        self._loaded: dict[str, Model] = {}
        self._fixed: Weights | Model | None = None
        self._tier = name if name in catalog.TIERS else "default"
        if file is not None:
            self._fixed = self._from_file(file, replace(wanted or Wanted(), task=task))
        elif name is not None and name != self._tier:
            self._fixed = catalog.find(name)
            if self._fixed.task != task:
                raise ModelError(
                    f"{name} is for {self._fixed.task}, not for {task}; enhance models list shows all"
                )

    @property
    def fixed_scale(self) -> int | None:
        """The enlargement of the weights that were named; None if there are none, or they serve any."""
        if isinstance(self._fixed, Model):
            spec = self._fixed.restorer.net.spec
            return None if spec.pre_upsampled else spec.scale
        if self._fixed is None or self._task != "sr" or self._fixed.scale == 1:
            return None
        return self._fixed.scale

    @property
    def fixed_name(self) -> str | None:
        """Name of the weights if the user gave any."""
        return self._fixed.used.name if isinstance(self._fixed, Model) else getattr(self._fixed, "name", None)

    def candidates(self, factor: float | None) -> tuple[WeightsUsed, ...]:
        """All weights that may serve; `factor` None: for any enlargement."""
        if isinstance(self._fixed, Model):
            return (self._fixed.used,)
        if self._fixed is not None:
            return (_used(self._fixed),)
        scales = self._scales() if factor is None else [self._scale_for(factor)]
        found = [
            catalog.of_tier(self._tier, self._task, scale=scale, gray=gray)
            for scale in scales
            for gray in (False, True)
        ]
        return tuple({one.name: _used(one) for one in found}.values())

    def model(self, *, gray: bool, factor: float) -> Model:
        """The weights for one picture; UsageError if none enlarges by so much."""
        if self.fixed_scale is not None and factor > self.fixed_scale + SLACK:
            raise UsageError(
                f"{self.fixed_name} enlarges {self.fixed_scale} times and {factor:g} times is asked for; "
                "give a smaller --scale or another --model"
            )
        if isinstance(self._fixed, Model):
            return self._fixed
        weights = self._fixed or self._chosen(factor, gray)
        if weights.name not in self._loaded:
            self._loaded[weights.name] = self._from_catalog(weights)
        return self._loaded[weights.name]

    def _chosen(self, factor: float, gray: bool) -> Weights:
        return catalog.of_tier(self._tier, self._task, scale=self._scale_for(factor), gray=gray)

    def _scale_for(self, factor: float) -> int:
        scales = self._scales()
        fitting = [scale for scale in scales if scale >= factor - SLACK]
        if scales and not fitting:
            raise UsageError(
                f"{factor:g} times as large (--scale) is more than shipped models give ({scales[-1]}); "
                "ask for less, or name other --weights"
            )
        return fitting[0] if fitting else 1

    def _scales(self) -> list[int]:
        return catalog.scales(self._tier, self._task)

    def _from_catalog(self, weights: Weights) -> Model:
        restorer = Restorer(load_weights(weights), self._settings)
        return Model(restorer, weights.condition_range, _used(weights))

    def _from_file(self, path: Path, wanted: Wanted) -> Model:
        return model_of(Restorer(load_file(path, wanted), self._settings))


def model_of(restorer: Restorer) -> Model:
    """A network as it is, with the conditions for which its file says that it was trained."""
    net = restorer.net
    used = WeightsUsed(net.name, net.sha256, net.licence, net.recognised)
    return Model(restorer, _range(net.metadata.get("condition_range")), used)


def _used(weights: Weights) -> WeightsUsed:
    return WeightsUsed(weights.name, weights.sha256, weights.licence)


def _range(text: str | None) -> Range | None:
    """What the trainer noted in a weights file: "[low, high]"."""
    try:
        low, high = json.loads(text or "null")
        return float(low), float(high)
    except (TypeError, ValueError):
        return None
