"""PAN: efficient super-resolution by pixel attention (Zhao et al., ECCVW 2020).

Every number of a map is weighted by the sigmoid of a 1x1 convolution, in blocks of two branches and between
the steps of the enlargement.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from enhance_cli.arch.blocks import conv
from enhance_cli.arch.contract import ArchSpec

STEPS = {2: (2,), 3: (3,), 4: (2, 2)}
"""Nearest-neighbour enlargements that make up each scale."""
SLOPE = 0.2
"""Of the leaky ReLU where values are negative."""


class PAN(nn.Module):
    """x: (N, 3, H, W) RGB in [0, 1] -> (N, 3, scale H, scale W), not clipped.

    scale is 2, 3 or 4, else ValueError; n_feats must be even; n_narrow: features while enlarging.
    """

    def __init__(self, *, scale: int, n_blocks: int = 16, n_feats: int = 40, n_narrow: int = 24) -> None:
        super().__init__()
        if scale not in STEPS:
            raise ValueError(f"scale must be one of {', '.join(map(str, STEPS))}, not {scale}")
        self.scale = scale
        self.head = conv(3, n_feats)
        self.body = nn.Sequential(*(Block(n_feats) for _ in range(n_blocks)))
        self.after_body = conv(n_feats, n_feats)
        widths = (n_feats, *(n_narrow for _ in STEPS[scale]))
        self.steps = nn.Sequential(
            *(Step(factor, width, n_narrow) for factor, width in zip(STEPS[scale], widths, strict=False))
        )
        self.tail = conv(n_narrow, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Enlarge x by the network's scale."""
        y = self.head(x)
        y = self.tail(self.steps(self.after_body(self.body(y)) + y))
        return y + F.interpolate(x, scale_factor=self.scale, mode="bilinear", align_corners=False)


class Block(nn.Module):
    """Self-calibrated convolution with pixel attention in one of its two branches."""

    def __init__(self, n_feats: int) -> None:
        super().__init__()
        n_half = n_feats // 2
        self.into_plain = nn.Conv2d(n_feats, n_half, 1, bias=False)
        self.into_attended = nn.Conv2d(n_feats, n_half, 1, bias=False)
        self.plain = nn.Conv2d(n_half, n_half, 3, padding=1, bias=False)
        self.attention = conv(n_half, n_half, 1)
        self.attended = nn.Conv2d(n_half, n_half, 3, padding=1, bias=False)
        self.after_attention = nn.Conv2d(n_half, n_half, 3, padding=1, bias=False)
        self.join = nn.Conv2d(2 * n_half, n_feats, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """x: (N, n_feats, H, W), same shape out."""
        plain = self.plain(F.leaky_relu(self.into_plain(x), SLOPE))
        other = F.leaky_relu(self.into_attended(x), SLOPE)
        other = self.after_attention(self.attended(other) * self.attention(other).sigmoid())
        return self.join(F.leaky_relu(torch.cat((plain, other), 1), SLOPE)) + x


class Step(nn.Module):
    """Repeat every number `factor` times, smooth, weigh and refine."""

    def __init__(self, factor: int, n_in: int, n_out: int) -> None:
        super().__init__()
        self.factor = factor
        self.smooth = conv(n_in, n_out)
        self.attention = conv(n_out, n_out, 1)
        self.refine = conv(n_out, n_out)

    def forward(self, x: Tensor) -> Tensor:
        """x: (N, n_in, H, W) -> (N, n_out, factor H, factor W)."""
        x = self.smooth(F.interpolate(x, scale_factor=self.factor, mode="nearest"))
        x = F.leaky_relu(x * self.attention(x).sigmoid(), SLOPE)
        return F.leaky_relu(self.refine(x), SLOPE)


def spec(*, scale: int, n_blocks: int = 16, n_feats: int = 40, n_narrow: int = 24) -> ArchSpec:
    """How `PAN` with these parameters wants to be fed."""
    # Two convolutions in each block, head and end of the body; those on enlarged pixels reach two farther.
    return ArchSpec(colour="rgb", scale=scale, halo=2 * n_blocks + 4)
