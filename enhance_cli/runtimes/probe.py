"""A made-up picture with texture, edges and flat areas, and whether two results on it can be told apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from enhance_cli.arch.contract import ArchSpec
from enhance_cli.runtimes.contract import Batch

CONDITIONS = {"sigma": 15 / 255, "quality": 0.3}
"""What networks are told; the picture then has that noise outside its flat areas."""
EXACT = 1e-4
"""Difference over the value range that float32 allows: a fortieth of a grey level at 8 bits, so that rounding
can differ by one level and never by more."""
EXACT_ON_GPU = 1e-3
"""The same for GPUs, whose convolutions add in another order."""
RMS_LEVELS, MOST_LEVELS, FLAT_LEVELS, MEAN_LEVELS = 0.25, 8.0, 1.0, 0.05
"""Levels of 8 bits by which results may differ unseen: at large, at one place, in flat areas, in the mean."""
FLAT_SIDE = 32
"""Of each flat area; what lies within FLAT_MARGIN of its border is not counted to it."""
FLAT_MARGIN = 12


@dataclass(frozen=True)
class Probe:
    """What a network takes."""

    x: Batch
    condition: float | None
    flat: NDArray[np.bool_]
    """(H, W): in the midst of a flat area."""


def probe(spec: ArchSpec, height: int, width: int, count: int = 1) -> Probe:
    """A picture of about that size, at least as large; `count` of them that differ in noise."""
    rng = np.random.default_rng(0)
    height, width = (-(-max(side, spec.minimum) // spec.multiple) * spec.multiple for side in (height, width))
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    # Texture as photographs have it: the coarser, the stronger.
    texture = np.zeros((height, width), np.float32)
    for step in (1, 2, 4, 8, 16, 32):
        coarse = rng.standard_normal((height // step + 2, width // step + 2)).astype(np.float32)
        texture += step**0.5 * _enlarged(coarse, step, height, width)
    picture = 0.5 + 0.012 * texture + 0.15 * np.sin(columns / 40) * np.cos(rows / 56)
    # Edges of every direction, a pixel or two wide as a lens leaves them: a disc and a ring.
    distance = np.hypot(rows - 0.6 * height, columns - 0.7 * width)
    for radius, drop in ((0.35, -0.3), (0.25, 0.5), (0.1, -0.4)):
        picture += drop / 2 * (1 - np.tanh(distance - radius * min(height, width)))
    is_flat, flat = np.zeros((2, height, width), bool)
    for i, level in enumerate((0.05, 0.35, 0.7, 0.95)):
        left, top = (i % 2) * FLAT_SIDE, (i // 2) * FLAT_SIDE
        picture[top : top + FLAT_SIDE, left : left + FLAT_SIDE] = level
        is_flat[top : top + FLAT_SIDE, left : left + FLAT_SIDE] = True
        inner = slice(top + FLAT_MARGIN, top + FLAT_SIDE - FLAT_MARGIN)
        flat[inner, left + FLAT_MARGIN : left + FLAT_SIDE - FLAT_MARGIN] = True
    colours = np.array([0.95, 1, 0.9], np.float32)[: 3 if spec.colour == "rgb" else 1, None, None]
    x = np.repeat((picture * colours)[None], count, 0)
    condition = CONDITIONS[spec.condition] if spec.condition else None
    if spec.condition == "sigma":
        x = x + CONDITIONS["sigma"] * rng.standard_normal(x.shape) * ~is_flat
    x = np.ascontiguousarray(x * spec.value_range, np.float32)
    return Probe(x, condition, flat)


def _enlarged(coarse: NDArray[np.float32], step: int, height: int, width: int) -> NDArray[np.float32]:
    """By linear interpolation, cut to that size."""
    down, across = np.arange(height) / step, np.arange(width) / step
    i, j = down.astype(int), across.astype(int)
    v, u = (down - i)[:, None].astype(np.float32), (across - j).astype(np.float32)
    rows = coarse[i] * (1 - v) + coarse[i + 1] * v
    return rows[:, j] * (1 - u) + rows[:, j + 1] * u


def difference(y: Batch, reference: Batch, spec: ArchSpec) -> float:
    """The largest, over the value range or the result's if that is larger; infinite if incomparable."""
    if y.shape != reference.shape or not np.isfinite(y).all():
        return float("inf")
    return float(np.abs(y - reference).max() / max(spec.value_range, np.abs(reference).max()))


def is_faithful(y: Batch, reference: Batch, spec: ArchSpec, flat: NDArray[np.bool_]) -> bool:
    """Whether a result in reduced precision cannot be told from the one in float32."""
    if y.shape != reference.shape or not np.isfinite(y).all():
        return False
    y, reference = (np.clip(one / spec.value_range, 0, 1) * 255 for one in (y, reference))
    off = (y - reference).astype(np.float64)
    enlarged = flat.repeat(spec.scale, 0).repeat(spec.scale, 1)
    return bool(
        np.sqrt((off**2).mean()) <= RMS_LEVELS
        and np.abs(off).max() <= MOST_LEVELS
        and np.abs(off[..., enlarged]).max(initial=0) <= FLAT_LEVELS
        and np.abs(off.mean((2, 3))).max() <= MEAN_LEVELS
    )
