"""One picture, or all of its frames, in the network's hands: which weights, which condition, the result."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain

from enhance_cli.batch.models import Model, Models
from enhance_cli.batch.plan import Plan
from enhance_cli.engine.condition import Condition, ConditionFrom
from enhance_cli.engine.damage import Damage, find_damage
from enhance_cli.engine.network import OnTile
from enhance_cli.engine.restorer import RunInfo
from enhance_cli.errors import ReadError
from enhance_cli.imaging.files import Frame
from enhance_cli.imaging.mosaic import as_mosaic
from enhance_cli.imaging.picture import Picture, joined
from enhance_cli.tasks import UNDAMAGED


@dataclass
class Restoration:
    """A picture in the network's hands."""

    model: Model
    condition: Condition
    damage: Damage | None
    """What was found where the picture was to decide; None where the user did."""
    outline: Picture
    """The result but for its pixels."""
    bands: Iterator[Picture]
    """The result's rows, which are computed as they are asked for."""
    info: RunInfo | None = None
    """Known when the bands have come to their end."""
    frames: list[Frame] | None = None
    """Of an animation or pages: each frame as it was read, but for its pixels, and each band is the whole
    result of one.  Longer by one when the next band has come."""


def restoration_of(
    picture: Picture, plan: Plan, models: Models, *, on_tile: OnTile | None = None
) -> Restoration:
    """Choose the weights and the condition; the network runs when the bands are asked for.

    Unasked, a picture without the damage that the task mends comes out as it is.  Three equal channels are
    restored as one: noise that is the same in all of them is not what colour networks learn, and the result
    could get a tint.  Mosaics come as `as_mosaic` gives them.

    UsageError if no weights enlarge by so much, ReadError for a camera's raw data where the task is another.
    """
    if picture.camera is not None and not plan.task.mosaic:
        raise ReadError("this is a camera's raw data; develop it with enhance demosaic first")
    shown = picture if plan.task.mosaic else picture.as_gray() or picture
    damage = find_damage(shown, plan.task) if models.unasked and plan.condition is None else None
    photo = damage is not None and damage.needs_photo_weights
    model = models.model(gray=shown.gray, factor=plan.factor_of(picture), photo=photo)
    restorer = model.restorer
    if damage is not None and damage.kind == "none":
        return _untouched(picture, model, Condition(), damage)
    condition = restorer.find_condition(shown, plan.condition)
    nothing = UNDAMAGED.get(plan.task.condition) if plan.task.condition else None
    if nothing is not None and nothing in (plan.condition, condition.value):
        source: ConditionFrom = "estimate" if plan.condition is None else "asked"
        return _untouched(picture, model, Condition(nothing, source))
    # What a task that keeps the size gives is the network's affair.
    size = plan.target(picture) if plan.task.enlarges else None

    def bands() -> Iterator[Picture]:
        for band in restorer.bands(
            shown,
            size=size,
            condition=condition.value,
            strength=plan.strength,
            unharmed=not plan.engine.unchecked,
            wrap=plan.wrap,
            on_tile=on_tile,
        ):
            yield band.as_rgb() if shown.gray and not picture.gray else band
            del band
        restoration.info = restorer.info

    restoration = Restoration(model, condition, damage, restorer.outline(picture, size), bands())
    return restoration


def restoration_of_frames(
    frames: Iterator[Frame], plan: Plan, models: Models, *, on_tile: OnTile | None = None
) -> Restoration:
    """The same for each of several frames, which are read and restored one by one.

    Weights, condition and damage are those of the first frame; the number of tiles is that of all.
    """
    first = next(frames)
    begun = restoration_of(first.picture, plan, models, on_tile=on_tile)
    shown: list[Frame] = []

    def results() -> Iterator[Picture]:
        tiles, one = 0, begun
        for frame in chain([first], frames):
            if shown:
                picture = as_mosaic(frame.picture, plan.pattern) if plan.task.mosaic else frame.picture
                one = restoration_of(picture, plan, models, on_tile=on_tile)
            result = joined(one.outline, one.bands)
            assert one.info is not None
            tiles += one.info.tiles
            shown.append(replace(frame, picture=frame.picture.outline(1, 1)))
            yield result
            del result
        restoration.info = replace(one.info or restoration.model.restorer.info, tiles=tiles)

    restoration = replace(begun, bands=results(), frames=shown)
    return restoration


def _untouched(
    picture: Picture, model: Model, condition: Condition, damage: Damage | None = None
) -> Restoration:
    """The picture as it is."""
    info = replace(model.restorer.info, tiles=0, warnings=())
    return Restoration(model, condition, damage, picture, iter([picture]), info)
