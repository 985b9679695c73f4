"""What a layout is: the way from a foreign file's tensors to one of our networks."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isqrt

import torch
from torch import Tensor

from enhance_cli.arch.blocks import MeanShift
from enhance_cli.arch.contract import Parameters, Task
from enhance_cli.checkpoints.wanted import Wanted
from enhance_cli.errors import ModelError

Tensors = Mapping[str, Tensor]
"""A checkpoint's tensors by its own keys, wrappers such as "module." already removed."""
Names = Mapping[str, str | None]
"""Beginnings of keys, to the next dot, -> ours; None drops them.  "{}" stands for a number on both sides."""
MAX_WORDS = 8
"""Between the dots of a beginning."""
LARGEST_UNIT_MEAN = 2.0
"""Means of values in 0..1 lie below it, even trained ones, and those of 0..255 far above."""


@dataclass(frozen=True)
class Recognised:
    """What a foreign file holds."""

    title: str
    """Network and whose key names: "RCAN (authors' keys)"."""
    arch: str
    """Key in the registry of networks."""
    parameters: Parameters
    tensors: dict[str, Tensor]
    """All of the network's, under our keys; values in the scale that our network works in."""
    tasks: tuple[Task, ...] = ("sr",)
    """What such weights are published for; the first is taken where nobody says."""
    chosen_for: float | None = None
    """Strength of the network that was taken out of a file with several."""
    scales: tuple[int, ...] = ()
    """All that the file holds, if it holds several, of which one was taken."""
    dropped: tuple[str, ...] = ()
    """Keys of the file that have no influence on the result and were left out."""
    options: tuple[str, ...] = ()
    """Options that this layout knows."""
    notes: tuple[str, ...] = ()
    """What had to be assumed, one line each, with the option that says otherwise."""


Layout = Callable[[Tensors, Wanted], Recognised | None]
"""None: the keys are not of this layout.  ModelError: they are, but the file cannot be used as it is."""


def has(tensors: Tensors, *keys: str) -> bool:
    """Whether all these keys are there."""
    return all(key in tensors for key in keys)


def count(tensors: Tensors, pattern: str, first: int = 0) -> int:
    """How many of pattern.format(first), pattern.format(first + 1), ... there are in a row."""
    n = 0
    while pattern.format(first + n) in tensors:
        n += 1
    return n


def shape(tensors: Tensors, key: str, n_dims: int = 4) -> tuple[int, ...]:
    """The tensor's shape; ModelError if it is not there or has another number of axes."""
    if key not in tensors:
        raise ModelError(f"weight {key!r} is missing")
    found = tuple(tensors[key].shape)
    if len(found) != n_dims or 0 in found:
        raise ModelError(f"weight {key!r} has shape {found}, which fits no network known")
    return found


def n_colours(tensors: Tensors, key: str) -> int:
    """Input channels of the first convolution; ModelError unless it takes one colour or RGB."""
    found = shape(tensors, key)[1]
    if found not in (1, 3):
        raise ModelError(f"weight {key!r} takes {found} channels; pictures here have 1 or 3")
    return found


def enlargement(tensors: Tensors, pattern: str = "tail.0.{}.weight", step: int = 2) -> int:
    """Scale of a sub-pixel upsampler: convolutions `step` apart, giving factor^2 times the channels."""
    factor, i = 1, 0
    while (weight := tensors.get(pattern.format(i))) is not None:
        factor *= isqrt(weight.shape[0] // weight.shape[1])
        i += step
    return factor


def chosen_scale(wanted: Wanted, scales: tuple[int, ...], name: str) -> tuple[int, tuple[str, ...]]:
    """The scale of a file that does not show it, and what was assumed; ModelError if nobody says it."""
    listed = " or ".join((", ".join(map(str, scales[:-1])), str(scales[-1])))
    told = wanted.number("scale", scales[0]) if "scale" in wanted.options else None
    if told is not None and told not in scales:
        raise ModelError(f"--arch-option scale={told:g} is no scale of {name}; those it has: {listed}")
    scale = wanted.scale if told is None else told
    if scale not in scales:
        raise ModelError(
            f"this {name} file does not tell its scale; say --arch-option scale={listed}, as it was trained"
        )
    note = "scale assumed to be the one asked for; --arch-option scale=N says otherwise"
    return int(scale), (note,) if told is None else ()


def renamed(tensors: Tensors, names: Names) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """The tensors under our keys, and the keys that are dropped.

    The longest beginning without "{}" counts, else the first with it that fits; other keys stay as they are.
    """
    patterns = {
        re.compile(re.escape(name).replace(r"\{\}", r"(\d+)") + r"(?=\.|$)"): ours
        for name, ours in names.items()
        if "{}" in name
    }
    found, dropped = {}, []
    for key, tensor in tensors.items():
        words = key.split(".")[:MAX_WORDS]
        starts = (".".join(words[:n]) for n in range(len(words), 0, -1))
        start = next((one for one in starts if one in names), None)
        match = None if start else next((m for one in patterns if (m := one.match(key))), None)
        start = match[0] if match else start or ""
        ours = patterns[match.re] if match else names.get(start, "")
        if ours is None:
            dropped.append(key)
        else:
            found[ours.format(*(match.groups() if match else ())) + key[len(start) :]] = tensor
    return found, tuple(dropped)


def with_mean_shift(tensors: Tensors, value_range: float = 255.0) -> dict[str, Tensor]:
    """The tensors with sub_mean and add_mean at their nominal values where the file has none."""
    nominal = {
        f"{name}.{key}": value
        for name, sign in (("sub_mean", -1), ("add_mean", 1))
        for key, value in MeanShift(sign, value_range).state_dict().items()
    }
    return {**nominal, **tensors}


def in_levels(tensors: Tensors, *, first: str = "head.0", last: str = "tail.1") -> dict[str, Tensor]:
    """`with_mean_shift`, and weights trained on 0..1 made to work on 0..255 with the same result.

    The mean shift shows the range. f255(x) = 255 f1(x / 255) is f1 with its means and its last convolution
    255 times as large and the weights of its first as much smaller.
    """
    bias = tensors.get("sub_mean.bias")
    if bias is not None:
        shape(tensors, "sub_mean.bias", 1)
    if bias is None or bias.is_meta or not 0 < bias.abs().max() < LARGEST_UNIT_MEAN:
        return with_mean_shift(tensors)
    larger = ("sub_mean.bias", "add_mean.bias", f"{last}.weight", f"{last}.bias")
    factors = {**dict.fromkeys(larger, 255.0), f"{first}.weight": 1 / 255.0}
    return {key: tensor * factors[key] if key in factors else tensor for key, tensor in tensors.items()}


def with_counters(tensors: Tensors) -> dict[str, Tensor]:
    """The tensors with the batch counters that files older than PyTorch 0.4 do not have."""
    counters = {
        key.replace("running_mean", "num_batches_tracked"): torch.tensor(0)
        for key in tensors
        if key.endswith("running_mean")
    }
    return {**counters, **tensors}


def with_biases(tensors: Tensors) -> dict[str, Tensor]:
    """The tensors with biases of zero for the convolutions that have none."""
    zeros = {
        key.replace("weight", "bias"): torch.zeros(one.shape[:1], dtype=one.dtype)
        for key, one in tensors.items()
        if one.ndim == 4
    }
    return {**zeros, **tensors}
