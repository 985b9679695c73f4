"""SMFANet: self-modulation feature aggregation for efficient super-resolution (Zheng et al., ECCV 2024).

Each block mixes a non-local branch, which sees the map through maxima of 8x8 cells and the variance of every
channel, with a local one, and refines a quarter of the channels by a 3x3 convolution.  SMFANet has 8 blocks
of 36 features, SMFANet+ for x2 12 of 48.  State-dict keys are the authors'.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from enhance_cli.arch.blocks import conv
from enhance_cli.arch.contract import ArchSpec

CELL = 8
"""Side of the cells that the non-local branch takes maxima of."""
WIDER = 2
"""Channels inside both halves of a block, over those around it."""
REFINED = 4
"""One in so many of the wider channels goes through a 3x3 convolution."""


class SMFANet(nn.Module):
    """x: (N, 3, H, W) RGB in [0, 1] -> (N, 3, scale H, scale W), not clipped; H and W at least 8.

    Where they are no multiples of 8 the cells have different sizes, as in the authors' code.
    """

    def __init__(self, *, scale: int, n_blocks: int = 8, n_feats: int = 36) -> None:
        super().__init__()
        self.to_feat = conv(3, n_feats)
        self.feats = nn.Sequential(*(Block(n_feats) for _ in range(n_blocks)))
        self.to_img = nn.Sequential(conv(n_feats, 3 * scale**2), nn.PixelShuffle(scale))

    def forward(self, x: Tensor) -> Tensor:
        """Enlarge x by the network's scale."""
        x = self.to_feat(x)
        return self.to_img(self.feats(x) + x)


class Block(nn.Module):
    """Aggregation and refinement, each around a skip and behind features of unit length."""

    def __init__(self, n_feats: int) -> None:
        super().__init__()
        self.smfa = Aggregation(n_feats)
        self.pcfn = Refinement(n_feats)

    def forward(self, x: Tensor) -> Tensor:
        """x: (N, n_feats, H, W), same shape out."""
        x = self.smfa(F.normalize(x)) + x
        return self.pcfn(F.normalize(x)) + x


class Aggregation(nn.Module):
    """Self-modulation: features weighted by what the whole map holds, plus local detail."""

    def __init__(self, n_feats: int) -> None:
        super().__init__()
        self.linear_0 = conv(n_feats, 2 * n_feats, 1)
        self.linear_1 = conv(n_feats, n_feats, 1)
        self.linear_2 = conv(n_feats, n_feats, 1)
        self.lde = LocalDetail(n_feats)
        self.dw_conv = nn.Conv2d(n_feats, n_feats, 3, padding=1, groups=n_feats)
        self.alpha = nn.Parameter(torch.ones(1, n_feats, 1, 1))
        self.belt = nn.Parameter(torch.zeros(1, n_feats, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """x: (N, n_feats, H, W), same shape out."""
        height, width = x.shape[2:]
        local, x = self.linear_0(x).chunk(2, 1)
        if height % CELL or width % CELL:
            cells = F.adaptive_max_pool2d(x, (height // CELL, width // CELL))
        else:
            cells = F.max_pool2d(x, CELL)
        told = self.dw_conv(cells) * self.alpha + x.var((2, 3), keepdim=True) * self.belt
        weights = F.interpolate(F.gelu(self.linear_1(told)), size=(height, width), mode="nearest")
        return self.linear_2(x * weights + self.lde(local))


class LocalDetail(nn.Module):
    """A depthwise 3x3 convolution between 1x1 ones."""

    def __init__(self, n_feats: int) -> None:
        super().__init__()
        n_wide = WIDER * n_feats
        depthwise = nn.Conv2d(n_feats, n_wide, 3, padding=1, groups=n_feats)
        self.conv_0 = nn.Sequential(depthwise, conv(n_wide, n_wide, 1))
        self.conv_1 = conv(n_wide, n_feats, 1)

    def forward(self, x: Tensor) -> Tensor:
        """x: (N, n_feats, H, W), same shape out."""
        return self.conv_1(F.gelu(self.conv_0(x)))


class Refinement(nn.Module):
    """A feed-forward network of 1x1 convolutions, part of whose channels see their neighbours."""

    def __init__(self, n_feats: int) -> None:
        super().__init__()
        n_wide = WIDER * n_feats
        self.n_refined = n_wide // REFINED
        self.conv_0 = conv(n_feats, n_wide, 1)
        self.conv_1 = conv(self.n_refined, self.n_refined)
        self.conv_2 = conv(n_wide, n_feats, 1)

    def forward(self, x: Tensor) -> Tensor:
        """x: (N, n_feats, H, W), same shape out."""
        x = F.gelu(self.conv_0(x))
        refined, kept = x.split((self.n_refined, x.shape[1] - self.n_refined), 1)
        return self.conv_2(torch.cat((F.gelu(self.conv_1(refined)), kept), 1))


def spec(*, scale: int, n_blocks: int = 8, n_feats: int = 36) -> ArchSpec:
    """How `SMFANet` with these parameters wants to be fed."""
    # Tiles begin where cells do.  The variance is the tile's instead of the picture's, so that no halo makes
    # them exact; each block sees two cells far, and what is farther away than a few changes little.
    return ArchSpec(
        colour="rgb", scale=scale, multiple=CELL, minimum=CELL, halo=32, tiling="approximate", tile=256
    )
