"""A made-up picture on which two backends are compared."""

from __future__ import annotations

import torch
from torch import Tensor

from enhance_cli.arch.contract import ArchSpec
from enhance_cli.engine.tiles import round_up

LEVEL = 0.3
"""Condition that the networks are told."""


def probe(spec: ArchSpec, side: int) -> tuple[Tensor, Tensor | None]:
    """What a network takes: a picture of smooth parts, edges and noise, and a condition where it wants one.

    The picture is about `side` high and a little wider.
    """
    height = round_up(max(side, spec.minimum), spec.multiple)
    width = height + 3 * spec.multiple
    rows, columns = (torch.linspace(0, 1, n) for n in (height, width))
    waves = (0.5 + 0.4 * torch.sin(20 * rows[:, None] ** 2 + 9 * columns)).expand(height, width)
    squares = ((8 * rows[:, None]).floor() + (8 * columns).floor()) % 2
    noise = torch.rand((3, height, width), generator=torch.Generator().manual_seed(0))
    picture = 0.6 * waves + 0.25 * squares + 0.15 * noise
    x = picture[: 3 if spec.colour == "rgb" else 1, None].transpose(0, 1) * spec.value_range
    return x.contiguous(), torch.full((1, 1, 1, 1), LEVEL) if spec.condition else None
