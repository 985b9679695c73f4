"""How strongly a picture is damaged, for networks that want to be told."""

from __future__ import annotations

from dataclasses import dataclass, replace

from enhance_cli.arch.contract import Task
from enhance_cli.engine.models import Model
from enhance_cli.engine.progress import ConditionFrom
from enhance_cli.imaging import jpeg, noise
from enhance_cli.imaging.colour import to_float
from enhance_cli.imaging.picture import Picture
from enhance_cli.metrics.measure import eight_bit

UNTRACED_QUALITY = 90.0
"""What dejpeg assumes of a picture that shows no JPEG; most coarser ones show, unless they were resized."""


@dataclass(frozen=True)
class Condition:
    """What the network is told about the damage."""

    value: float | None = None
    source: ConditionFrom | None = None
    warnings: tuple[str, ...] = ()


def strength(picture: Picture, model: Model, task: Task, asked: float | None) -> Condition:
    """What to tell the network: what was asked for, else what the picture shows, within its range."""
    found = Condition()
    if model.restorer.net.spec.condition is not None:
        found = Condition(asked, "asked") if asked is not None else _look(task, picture)
    return _clipped(_warned(found, picture, model, task), model)


def _warned(found: Condition, picture: Picture, model: Model, task: Task) -> Condition:
    if task != "denoise" or not picture.gray or model.restorer.net.spec.colour != "rgb":
        return found
    warning = f"{model.used.name} was not made for noise that is equal in all colours; take one for gray"
    return replace(found, warnings=(*found.warnings, warning))


def _look(task: Task, picture: Picture) -> Condition:
    """Find the strength in the picture itself."""
    if task == "denoise":
        return Condition(noise.estimate_sigma(to_float(picture.pixels)), "estimate")
    if picture.jpeg_quality is not None:
        return Condition(float(picture.jpeg_quality), "tables")
    traced = jpeg.estimate_quality(eight_bit(picture.pixels))
    if traced is not None:
        return Condition(float(traced), "estimate")
    warning = f"no trace of JPEG found, quality {UNTRACED_QUALITY:g} assumed; --quality says better"
    return Condition(UNTRACED_QUALITY, "assumed", (warning,))


def _clipped(found: Condition, model: Model) -> Condition:
    """Bring the strength into the range that the weights were trained for."""
    if found.value is None or model.condition_range is None:
        return found
    low, high = model.condition_range
    value = min(max(found.value, low), high)
    if value == found.value:
        return found
    kind = model.restorer.net.spec.condition
    warning = (
        f"{kind} {found.value:.3g} lies outside {low:g}..{high:g}, for which {model.used.name} was trained; "
        f"{value:g} taken"
    )
    return replace(found, value=value, warnings=(*found.warnings, warning))
