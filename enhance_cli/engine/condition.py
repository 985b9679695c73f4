"""How strongly a picture is damaged, for networks that want to be told."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from enhance_cli.arch.contract import ArchSpec
from enhance_cli.imaging import jpeg, noise
from enhance_cli.imaging.colour import to_float
from enhance_cli.imaging.picture import Picture
from enhance_cli.metrics.measure import eight_bit
from enhance_cli.tasks import ConditionKind, TaskSpec

UNTRACED_QUALITY = 90.0
"""What is assumed of a picture that shows no JPEG; most coarser ones show, unless they were resized."""
ConditionFrom = Literal["asked", "tables", "estimate", "assumed"]
"""Who says so: the user, the JPEG's quantisation tables, a look at the pixels, or nobody."""


@dataclass(frozen=True)
class Condition:
    """What the network is told about the damage."""

    value: float | None = None
    """Noise sigma or JPEG quality."""
    source: ConditionFrom | None = None
    warnings: tuple[str, ...] = ()


def find_condition(
    picture: Picture,
    task: TaskSpec,
    spec: ArchSpec,
    *,
    model: str,
    asked: float | None = None,
    trained: tuple[float, float] | None = None,
) -> Condition:
    """What to tell a network: what was asked for, else what the picture shows.

    It is brought into the range that the network was trained for.  `model`: its name, for warnings.
    """
    warnings: tuple[str, ...] = ()
    value: float | None = None
    source: ConditionFrom | None = None
    if spec.condition is None:
        pass
    elif asked is not None:
        value, source = asked, "asked"
    else:
        value, source = _seen(picture, task.condition)
        if source == "assumed":
            warnings += (f"no trace of JPEG found, quality {value:g} assumed; --quality says better",)
    if task.condition == "sigma" and picture.gray and spec.colour == "rgb":
        warnings += (f"{model} was not made for noise that is equal in all colours; take one for gray",)
    if value is not None and trained is not None and not trained[0] <= value <= trained[1]:
        low, high = trained
        nearest = min(max(value, low), high)
        warnings += (
            f"{spec.condition} {value:.3g} lies outside {low:g}..{high:g}, for which {model} was trained; "
            f"{nearest:g} taken",
        )
        value = nearest
    return Condition(value, source, warnings)


def trained_range(metadata: Mapping[str, str]) -> tuple[float, float] | None:
    """Smallest and largest condition, as the trainer notes it in a weights file: "[low, high]"."""
    try:
        low, high = json.loads(metadata.get("condition_range", "null"))
        return float(low), float(high)
    except (TypeError, ValueError):
        return None


def _seen(picture: Picture, kind: ConditionKind | None) -> tuple[float, ConditionFrom]:
    """What the picture itself shows."""
    if kind == "sigma":
        return noise.estimate_sigma(to_float(picture.pixels)), "estimate"
    if picture.jpeg_quality is not None:
        return float(picture.jpeg_quality), "tables"
    traced = jpeg.estimate_quality(eight_bit(picture.pixels))
    return (UNTRACED_QUALITY, "assumed") if traced is None else (float(traced), "estimate")
