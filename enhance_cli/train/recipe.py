"""A whole training run as data: one TOML file per trained weight."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args

from enhance_cli.arch.contract import Parameters, Task
from enhance_cli.errors import UsageError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Damage = Literal["camera", "shake", "worn"]
Optimiser = Literal["adam", "muon", "sgd"]
ClipBy = Literal["norm", "value"]
Loss = Literal["l1", "l2", "charbonnier", "frequency", "perceptual"]
ScheduleName = Literal["budget", "steps", "wsd"]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything that a run depends on besides the pictures and the time."""

    name: str
    """Name of the weights; the output file is NAME.safetensors."""
    arch: str
    task: Task
    parameters: Parameters = field(default_factory=dict)
    """Keyword parameters of the network."""
    packs: tuple[str, ...]
    """Folders below the data folder whose pictures are used."""
    pack_weights: tuple[float, ...] = ()
    """For each pack, how many times as often its pictures are drawn; none for all alike."""
    held_out: int = 8
    """How many pictures, spread over the sorted list, are only validated on."""
    patch: int
    """Side of a training patch in pixels of what the network is given (after a pre-enlargement)."""
    batch: int
    lr: float
    """Peak learning rate."""
    optimiser: Optimiser = "adam"
    """`muon`: Muon for the weights of convolutions and Adam for all else; `sgd`: with momentum 0.9."""
    beta2: float = 0.99
    """Adam's decay of squared gradients; most papers have 0.999."""
    schedule: ScheduleName = "budget"
    """`budget`: a run of a settled time, at whose end the learning rate is 0; `steps`: one in which it drops
    now and then, as in most papers; `wsd`: one that goes on for as long as it pays, at a constant rate, and
    can be cooled down at any time."""
    warmup: float = 0.03
    """budget: share of it in which the learning rate rises linearly; then it falls as a cosine to 0."""
    drops: int = 4
    """steps: how often the learning rate drops, at equal intervals of the time."""
    drop: float = 0.5
    """steps: what it is multiplied by each time."""
    warmup_steps: int = 500
    """wsd: steps in which the learning rate rises linearly."""
    branches: int = 0
    """Width of the linear branches that 3x3 convolutions have in training, in times of their outputs."""
    loss: Loss = "l1"
    """`perceptual`: of VGG19's features, whose weights the run has to be given."""
    adversarial: float = 0.0
    """Weight of the loss against a discriminator that is trained along (SRGAN: 1e-3); 0 for none."""
    clip: float = 0.5
    """What `clip_by` bounds: longer gradients are shortened, larger values cut."""
    clip_by: ClipBy = "norm"
    """`norm`: L2 norm of the whole gradient; `value`: each value times the learning rate (VDSR)."""
    ema: float = 0.999
    """Decay per step of the averaged weights, which are the ones kept."""
    seed: int = 0
    budget: str
    """Default time budget, such as "50m"; wsd: of one sitting."""
    init: str | None = None
    """Name of shipped weights to start from; tensors that do not fit start fresh."""
    shrink: tuple[float, ...] = (1.0,)
    """Factors, each drawn for as many batches, by which clean crops are shrunk: more and sharper pictures."""
    pure: float = 0.0
    """Share of clean crops in which every plane is made black and white, so that pure colours are known."""
    photo: bool = False
    """sr, dejpeg: pictures are spoilt as photographs are (`degrade.photo`) instead of by the task alone."""
    damage: Damage | None = None
    """Instead of the task's usual damage: `camera` noise (denoise), camera `shake` and defocus (deblur),
    or photographs `worn` by a long way (sr)."""
    scales: tuple[int, ...] = ()
    """sr of enlarged input: whole factors, each with its share of every batch; sr of a network with a branch
    for each (MDSR): those that are trained, of which each batch draws one."""
    quality: tuple[int, int] = (5, 60)
    """dejpeg, photo: range of JPEG qualities; of photographs that of the last file."""
    sigma: tuple[float, float] = (0.0, 0.0)
    """denoise: range of noise levels; deblur: of the noise that is added after the blur. 0..255 scale."""


def read_recipe(path: Path) -> Recipe:
    """Read a recipe file; UsageError names the key that is unknown, missing or out of range."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(
            f"Cannot read recipe {path}: {error.strerror}; give the path of a .toml file"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"Recipe {path} is not valid TOML: {error}") from error
    known = {f.name for f in fields(Recipe)}
    if unknown := sorted(set(table) - known):
        raise UsageError(
            f"Recipe {path} has an unknown key {unknown[0]!r}; known keys: {', '.join(sorted(known))}"
        )
    for key, (fits, expected) in RULES.items():
        if key in table and not fits(table[key]):
            raise UsageError(f"Recipe {path}: {key} = {table[key]!r} is not {expected}")
    frozen: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in table.items()
    }
    try:
        recipe = Recipe(**frozen)
    except TypeError as error:
        raise UsageError(f"Recipe {path} is incomplete: {error}") from error
    if recipe.pack_weights and len(recipe.pack_weights) != len(recipe.packs):
        raise UsageError(
            f"Recipe {path}: {len(recipe.pack_weights)} pack_weights for {len(recipe.packs)} packs; "
            "give one for each"
        )
    return recipe


def _is_count(value: Any) -> bool:
    return type(value) is int and value > 0


def _within(low: float, high: float) -> Callable[[Any], bool]:
    return lambda value: type(value) in (int, float) and math.isfinite(value) and low <= value <= high


def _range_within(low: float, high: float) -> Callable[[Any], bool]:
    inside = _within(low, high)
    return lambda value: (
        isinstance(value, list) and len(value) == 2 and all(map(inside, value)) and value[0] <= value[1]
    )


def _list_of(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(map(fits, value))


TEXT = (lambda value: isinstance(value, str), "a text")
COUNT = (_is_count, "a positive whole number")
POSITIVE = (_within(1e-12, math.inf), "a positive number")
SHARE = (_within(0, 0.999999), "a number from 0 to below 1")
RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "task": (lambda value: value in get_args(Task), f"one of {', '.join(get_args(Task))}"),
    "loss": (lambda value: value in get_args(Loss), f"one of {', '.join(get_args(Loss))}"),
    "optimiser": (lambda value: value in get_args(Optimiser), f"one of {', '.join(get_args(Optimiser))}"),
    "schedule": (
        lambda value: value in get_args(ScheduleName),
        f"one of {', '.join(get_args(ScheduleName))}",
    ),
    "damage": (lambda value: value in get_args(Damage), f"one of {', '.join(get_args(Damage))}"),
    "clip_by": (lambda value: value in get_args(ClipBy), f"one of {', '.join(get_args(ClipBy))}"),
    "parameters": (lambda value: isinstance(value, dict), "a table"),
    "shrink": (lambda value: value != [] and _list_of(_within(1, 8))(value), "a list of numbers from 1 to 8"),
    "photo": (lambda value: isinstance(value, bool), "true or false"),
    "name": TEXT,
    "arch": TEXT,
    "budget": TEXT,
    "init": TEXT,
    "seed": (lambda value: type(value) is int, "a whole number"),
    "packs": (_list_of(lambda value: isinstance(value, str)), "a list of folder names"),
    "pack_weights": (_list_of(_within(1e-12, math.inf)), "a list of positive numbers"),
    "branches": (lambda value: type(value) is int and value >= 0, "a whole number from 0"),
    "held_out": COUNT,
    "patch": COUNT,
    "batch": COUNT,
    "warmup_steps": COUNT,
    "drops": COUNT,
    "drop": SHARE,
    "beta2": SHARE,
    "adversarial": (_within(0, math.inf), "a number from 0"),
    "lr": POSITIVE,
    "clip": POSITIVE,
    "warmup": SHARE,
    "pure": SHARE,
    "ema": SHARE,
    "scales": (_list_of(_is_count), "a list of positive whole numbers"),
    "quality": (_range_within(1, 100), "two numbers from 1 to 100, the smaller first"),
    "sigma": (_range_within(0, 255), "two numbers from 0 to 255, the smaller first"),
}
"""What the values of a recipe file must be, and how to say so."""


def parse_budget(text: str) -> float:
    """Seconds of "90s", "25m" or "1.5h"; UsageError for anything else."""
    units = {"s": 1.0, "m": 60.0, "h": 3600.0}
    try:
        seconds = float(text[:-1]) * units[text[-1]]
    except (ValueError, KeyError, IndexError) as error:
        raise UsageError(f"Budget {text!r} is no time: write 90s, 25m or 1.5h") from error
    if not 0 < seconds < math.inf:
        raise UsageError(f"Budget {text!r} must be longer than 0 and must end; write 90s, 25m or 1.5h")
    return seconds
