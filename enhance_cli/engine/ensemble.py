"""Self-ensemble: the mean over the eight flips and rotations ("+" in the papers; Timofte et al. 2016)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from enhance_cli.runtimes.contract import Batch

SYMMETRIES = 8
"""Of the square: so many times is the network run."""


def eightfold(network: Callable[[Batch], Batch], x: Batch) -> Batch:
    """Mean of `network` over the eight symmetries of the square, each undone on the result.

    x: (N, C, H, W); the network may enlarge by a whole factor and must take (N, C, W, H) as well.
    """
    total: Batch | None = None
    for flipped in (False, True):
        for turns in range(SYMMETRIES // 2):
            seen = np.rot90(x, turns, (-2, -1))
            y = network(np.ascontiguousarray(seen[..., ::-1] if flipped else seen))
            y = np.rot90(y[..., ::-1] if flipped else y, -turns, (-2, -1))
            total = y if total is None else total + y
    assert total is not None
    return total / np.float32(SYMMETRIES)
