"""Every operation of torch that has a counterpart in ncnn, and those that move values about.

A handler is given the recorder, the tensor y that torch made, and the arguments that torch was given.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from enhance_cli.engine.backends import arithmetic
from enhance_cli.engine.backends.graph import Options, Unsupported
from enhance_cli.engine.backends.recorder import Recorder

NEAREST, BILINEAR = 1, 2
"""ncnn's numbers of ways to resize,"""
PADDING = {"constant": 0, "replicate": 1, "reflect": 2}
"""and to pad."""
MEAN = 3
"""ncnn's number of that reduction."""
ALL = slice(None)


def _same(to: Recorder, y: Tensor, x: Tensor, *args: Any, **kwargs: Any) -> None:
    to.same(y, x)


def _dropout(to: Recorder, y: Tensor, x: Tensor, p: float = 0.5, training: bool = True, *args: Any) -> None:
    if training:
        raise Unsupported("dropout in training")
    to.same(y, x)


def _cat(to: Recorder, y: Tensor, tensors: Sequence[Tensor], dim: int = 0) -> None:
    if y.ndim != 4 or dim not in (1, -3):
        raise Unsupported("joining along anything but channels")
    to.add(y, "Concat", tensors, {0: 0})


def _expand(to: Recorder, y: Tensor, x: Tensor, *sizes: Any) -> None:
    to.level_map(y, x)


def _repeat_interleave(to: Recorder, y: Tensor, x: Tensor, repeats: Any, dim: int | None = None) -> None:
    if dim not in (1, -3) or not isinstance(repeats, int) or y.ndim != 4:
        raise Unsupported("repetition of anything but channels")
    copies = torch.eye(x.shape[1]).repeat_interleave(repeats, 0)
    arithmetic.conv(to, y, x, copies[:, :, None, None])


def _pixel_shuffle(to: Recorder, y: Tensor, x: Tensor, upscale_factor: int) -> None:
    to.add(y, "PixelShuffle", [x], {0: upscale_factor, 1: 0})


def _pixel_unshuffle(to: Recorder, y: Tensor, x: Tensor, downscale_factor: int) -> None:
    # Mode 0 counts as torch does: the position within a cell is the inner part of the channel's number.
    to.add(y, "Reorg", [x], {0: downscale_factor, 1: 0})


def _interpolate(
    to: Recorder,
    y: Tensor,
    x: Tensor,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> None:
    kinds = {"nearest": NEAREST, "bilinear": BILINEAR}
    if mode not in kinds or align_corners or antialias or y.shape[2] % x.shape[2]:
        raise Unsupported(f"{mode} interpolation that is not by a whole factor, or aligns corners")
    _resize(to, y, x, kinds[mode])


def _resize(to: Recorder, y: Tensor, x: Tensor, kind: int) -> None:
    factor = y.shape[2] / x.shape[2]
    if factor != y.shape[3] / x.shape[3]:
        raise Unsupported("interpolation by two factors")
    to.add(y, "Interp", [x], {0: kind, 1: factor, 2: factor})


def _pad(
    to: Recorder,
    y: Tensor,
    x: Tensor,
    pad: Sequence[int],
    mode: str = "constant",
    value: float | None = None,
) -> None:
    if not any(pad):
        to.same(y, x)
        return
    if mode not in PADDING or len(pad) != 4 or min(pad) < 0:
        raise Unsupported(f"padding {mode}")
    left, right, top, bottom = pad
    options: Options = {0: top, 1: bottom, 2: left, 3: right, 4: PADDING[mode], 5: float(value or 0)}
    to.add(y, "Padding", [x], options)


def _mean(to: Recorder, y: Tensor, x: Tensor, dim: Any = None, keepdim: bool = False) -> None:
    if x.ndim != 4 or not isinstance(dim, (tuple, list)) or {n % 4 for n in dim} != {2, 3}:
        raise Unsupported("mean over anything but the whole map")
    # First each row, then all rows: ncnn adds one number after the other, and a sum over a whole map of a
    # million pixels would be off by a percent.
    options: list[Options] = [{0: MEAN, 1: 0, 3: [axis], 4: int(keepdim), 5: 1} for axis in (2, 1)]
    to.add_two(y, x, *(("Reduction", one) for one in options))


def _getitem(to: Recorder, y: Tensor, x: Tensor, index: Any) -> None:
    """[:, :, None, None] of vectors; [:, :, :height, :width] that leaves nothing out; [:, :, ::n, ::n]."""
    if index == (ALL, ALL, None, None):
        to.add(y, "Reshape", [x], _point(y))
        return
    slices = isinstance(index, tuple) and len(index) == 4 and all(isinstance(one, slice) for one in index)
    if not slices or any(one.start for one in index):
        raise Unsupported("indexing")
    if y.shape == x.shape:
        to.same(y, x)
        return
    step = index[3].step or 1
    strided = slice(None, None, step)
    if index != (ALL, ALL, strided, strided) or x.shape[2] % step or x.shape[3] % step:
        raise Unsupported("indexing")
    _resize(to, y, x, NEAREST)  # downwards, it takes the first of each step


def _point(y: Tensor) -> Options:
    """Shape of a vector as a map of one pixel."""
    return {0: 1, 1: 1, 2: y.shape[1]}


HANDLERS: dict[str, Callable[..., None]] = {
    "conv2d": arithmetic.conv,
    "conv_transpose2d": arithmetic.deconv,
    "linear": arithmetic.linear,
    "batch_norm": arithmetic.batch_norm,
    "dropout": _dropout,
    "relu": arithmetic.relu,
    "leaky_relu": arithmetic.leaky_relu,
    "prelu": arithmetic.prelu,
    "sigmoid": arithmetic.sigmoid,
    "tanh": arithmetic.tanh,
    **dict.fromkeys(("add", "__add__", "__radd__"), arithmetic.plus),
    **dict.fromkeys(("mul", "__mul__", "__rmul__"), arithmetic.times),
    **dict.fromkeys(("sub", "__sub__"), arithmetic.minus),
    "__rsub__": arithmetic.minus_from,
    **dict.fromkeys(("div", "__truediv__"), arithmetic.over),
    **dict.fromkeys(("cat", "concat"), _cat),
    "expand": _expand,
    "repeat_interleave": _repeat_interleave,
    "pixel_shuffle": _pixel_shuffle,
    "pixel_unshuffle": _pixel_unshuffle,
    "interpolate": _interpolate,
    "pad": _pad,
    "mean": _mean,
    "__getitem__": _getitem,
    **dict.fromkeys(("to", "float", "contiguous"), _same),
}
"""By the name of torch's function, method or operator.  Nothing that works in place."""
