"""Bicubic shrinking and enlarging as MATLAB's `imresize` does it."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from enhance_cli.imaging.resize import Edges, imresize, weights


def modcrop(x: NDArray[Any], scale: int) -> NDArray[Any]:
    """Crop (H, W, ...) at the bottom and right so that both sides are multiples of `scale`."""
    height, width = x.shape[0] // scale * scale, x.shape[1] // scale * scale
    return x[:height, :width]


def shrink(x: NDArray[np.uint8], scale: int, edges: Edges = "mirror") -> NDArray[np.uint8]:
    """Shrink a mod-cropped (H, W, C) uint8 picture by a whole factor, rounded after each pass."""
    size = (x.shape[0] // scale, x.shape[1] // scale)
    return np.asarray(imresize(x, size, scale=1 / scale, edges=edges), dtype=np.uint8)


def shrink_batch(x: Tensor, scale: int) -> Tensor:
    """Shrink (N, C, H, W) in 0..255 by a whole factor; like `shrink`, rounded to whole levels per pass."""
    down = _matrix(x.shape[-2], x.shape[-2] // scale, 1 / scale, x.device)
    across = _matrix(x.shape[-1], x.shape[-1] // scale, 1 / scale, x.device)
    rows = _to_levels(torch.einsum("oh,nchw->ncow", down, x))
    return _to_levels(rows @ across.T)


def enlarge_batch(x: Tensor, scale: int) -> Tensor:
    """Enlarge (N, C, H, W) by a whole factor, in float and neither rounded nor clipped."""
    down = _matrix(x.shape[-2], x.shape[-2] * scale, float(scale), x.device)
    across = _matrix(x.shape[-1], x.shape[-1] * scale, float(scale), x.device)
    return torch.einsum("oh,nchw->ncow", down, x) @ across.T


def resize_batch(x: Tensor, side: int) -> Tensor:
    """Resize squares (N, C, S, S) to (N, C, side, side), in float and neither rounded nor clipped."""
    if x.shape[-1] == side:
        return x
    matrix = _matrix(x.shape[-1], side, side / x.shape[-1], x.device)
    return torch.einsum("oh,nchw->ncow", matrix, x) @ matrix.T


def _to_levels(x: Tensor) -> Tensor:
    # MATLAB rounds halves away from zero; torch.round would send them to the even level.
    return (x + 0.5).floor_().clamp_(0, 255)


@lru_cache(maxsize=64)
def _matrix(n_in: int, n_out: int, scale: float, device: torch.device) -> Tensor:
    """The (n_out, n_in) matrix of one resizing pass."""
    indices, taps = weights(n_in, n_out, scale, "mirror")
    matrix = np.zeros((n_out, n_in))
    np.add.at(matrix, (np.arange(n_out)[:, None], indices), taps)
    return torch.from_numpy(matrix).float().to(device)
