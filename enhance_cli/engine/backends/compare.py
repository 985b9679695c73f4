"""Whether a converted network agrees with torch, and how much faster it is here."""

from __future__ import annotations

import math
import time

import torch
from torch import Tensor

from enhance_cli.arch.contract import ArchSpec
from enhance_cli.engine.backends.contract import Backend
from enhance_cli.engine.backends.probe import probe
from enhance_cli.engine.backends.verdicts import Verdict
from enhance_cli.errors import RestoreError

SMALL, LARGE = 64, 256
"""Sides of the probes: every network is compared on the small one, and timed on the largest that takes
no longer than a round should."""
ROUND = 0.5
"""Seconds that one run should take at most,"""
ENOUGH = 2.0
"""and seconds after which no other round is begun."""
ROUNDS, RUNS = 3, 2
"""Turns of each, and how often it runs in one."""


def difference(torch_net: Backend, other: Backend, spec: ArchSpec, side: int = SMALL) -> float:
    """Largest difference on a probe, over the value range (or the result's, where that is larger).

    Infinite where there is no comparing: `other` fails, or either result is no number.
    """
    x, condition = probe(spec, side)
    with torch.inference_mode():
        y = torch_net(x, condition)
        try:
            z = other(x, condition)
        except RestoreError:
            return math.inf
    if y.shape != z.shape:
        return math.inf
    found = float((y - z).abs().max() / max(spec.value_range, float(y.abs().max())))
    return found if math.isfinite(found) else math.inf


def compare(torch_net: Backend, other: Backend, spec: ArchSpec) -> Verdict:
    """Difference and speed; takes about two seconds, more for networks that are slow on the small probe."""
    found = difference(torch_net, other, spec)
    if math.isfinite(found):
        side = _largest_side(other, spec)
        # Sums over whole maps lose more in larger ones.
        found = max(found, difference(torch_net, other, spec, side))
    return Verdict(found, _gain(torch_net, other, spec, side) if math.isfinite(found) else 0.0)


def _largest_side(backend: Backend, spec: ArchSpec) -> int:
    side, seconds = SMALL, _seconds(backend, *probe(spec, SMALL))
    while side < LARGE and 4 * seconds < ROUND:
        side, seconds = 2 * side, 4 * seconds
    return side


def _gain(torch_net: Backend, other: Backend, spec: ArchSpec, side: int) -> float:
    # In turns and the best of each: both meet the same disturbances.  Twice in each turn, because the other's
    # threads still turn about on the cores for some milliseconds, waiting for more to do.
    x, condition = probe(spec, side)
    start, best = time.perf_counter(), [float("inf"), float("inf")]
    for _ in range(ROUNDS):
        for i, backend in enumerate((torch_net, other)):
            best[i] = min([best[i], *(_seconds(backend, x, condition) for _ in range(RUNS))])
        if time.perf_counter() - start > ENOUGH:
            break
    return best[0] / best[1]


def _seconds(backend: Backend, x: Tensor, condition: Tensor | None) -> float:
    with torch.inference_mode():
        start = time.perf_counter()
        backend(x, condition)
        return time.perf_counter() - start
