"""Self-ensemble: the mean over the eight flips and rotations ("+" in the papers; Timofte et al. 2016)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

SYMMETRIES = 8
"""Of the square: so many times is the network run."""


def eightfold(run: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Mean of `run` over the eight symmetries of the square, each undone on the result.

    x: (N, C, H, W); `run` may enlarge by a whole factor and must take (N, C, W, H) as well.  The mean is
    taken in float32.
    """
    total: Tensor | None = None
    for flip in (False, True):
        for turns in range(4):
            y = _undo(run(_apply(x, flip, turns)).float(), flip, turns)
            total = y if total is None else total + y
    assert total is not None
    return total / SYMMETRIES


def _apply(x: Tensor, flip: bool, turns: int) -> Tensor:
    turned = torch.rot90(x, turns, (-2, -1))
    return turned.flip(-1) if flip else turned


def _undo(y: Tensor, flip: bool, turns: int) -> Tensor:
    return torch.rot90(y.flip(-1) if flip else y, -turns, (-2, -1))
