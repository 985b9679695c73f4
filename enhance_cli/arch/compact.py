"""Compact: a plain chain of 3x3 convolutions at low resolution, for super-resolution on CPUs.

Why this one: nothing but 3x3 convolutions and PReLU runs near a CPU's arithmetic peak (no memory-bound
side branches, Winograd applies, every runtime can execute it), all work happens at the small size
(ESPCN, Shi et al. 2016, sub-pixel shuffle), and learning only what nearest-neighbour enlarging lacks
keeps shallow chains trainable in minutes. Short skips over pairs of layers cost almost nothing and let
the chain grow deeper (He et al. 2016).
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from enhance_cli.arch.contract import ArchSpec


class Compact(nn.Module):
    """x: (N, 3, H, W) RGB in [0, 1] -> (N, 3, scale H, scale W), not clipped."""

    def __init__(self, *, scale: int, n_feats: int = 48, n_blocks: int = 5, n_colours: int = 3) -> None:
        super().__init__()
        self.scale = scale
        self.head = nn.Conv2d(n_colours, n_feats, 3, padding=1)
        self.body = nn.ModuleList(Block(n_feats) for _ in range(n_blocks))
        self.tail = nn.Conv2d(n_feats, n_colours * scale**2, 3, padding=1)
        # Training starts (nearly) at the plain copy.
        for parameter in self.tail.parameters():
            nn.init.trunc_normal_(parameter, std=1e-3)

    def forward(self, x: Tensor) -> Tensor:
        """Enlarge x by the network's scale."""
        y = self.head(x)
        for block in self.body:
            y = block(y)
        # Repeating each channel scale^2 times before the shuffle is nearest-neighbour enlarging.
        return F.pixel_shuffle(self.tail(y) + x.repeat_interleave(self.scale**2, 1), self.scale)


class Block(nn.Module):
    """Two convolutions with PReLU around a short skip.

    A fresh block is the identity, so that a longer chain starts where a shorter one stopped (Net2Net,
    Chen et al. 2016).
    """

    def __init__(self, n_feats: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(n_feats, n_feats, 3, padding=1)
        self.act1 = nn.PReLU(n_feats)
        self.conv2 = nn.Conv2d(n_feats, n_feats, 3, padding=1)
        self.act2 = nn.PReLU(n_feats, init=1.0)
        nn.init.zeros_(self.conv2.weight)
        nn.init.zeros_(cast(Tensor, self.conv2.bias))

    def forward(self, x: Tensor) -> Tensor:
        """x: (N, n_feats, H, W), same shape out."""
        return self.act2(torch.add(self.conv2(self.act1(self.conv1(x))), x))


def spec(*, scale: int, n_feats: int = 48, n_blocks: int = 5, n_colours: int = 3) -> ArchSpec:
    """How `Compact` with these parameters wants to be fed."""
    # The margin keeps saturated colours pure at the border.
    return ArchSpec(colour="rgb" if n_colours == 3 else "y", scale=scale, margin=4, halo=2 * n_blocks + 2)
