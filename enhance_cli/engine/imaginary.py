"""Runs a network on a picture that is not there: sizes and shapes, no numbers, no memory."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from enhance_cli.arch.contract import ArchSpec
from enhance_cli.engine.tiles import round_up

NOT_IMAGINABLE = (RuntimeError, NotImplementedError, TypeError, MemoryError)
"""What `imagine` raises for networks that look at values or keep tensors outside parameters and buffers."""


def blank(spec: ArchSpec, side: int, device: str) -> tuple[Tensor, ...]:
    """What a network takes: a black square, and a condition of 0 where it wants one."""
    x = torch.zeros((1, 3 if spec.colour == "rgb" else 1, side, side), device=device)
    return (x, torch.zeros((1, 1, 1, 1), device=device)) if spec.condition else (x,)


def imagine(module: nn.Module, spec: ArchSpec, side: int) -> int:
    """Run on a square whose side is `side` or the next that fits; returns that side.

    One of NOT_IMAGINABLE where that cannot be.
    """
    side = round_up(max(side, spec.minimum), spec.multiple)
    inputs = blank(spec, side, "meta")
    state = {
        key: torch.empty_like(value, device="meta")
        for key, value in (*module.named_parameters(), *module.named_buffers())
    }
    with torch.no_grad():
        torch.func.functional_call(module, state, inputs)
    return side
