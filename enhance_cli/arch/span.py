"""SPAN: swift parameter-free attention network (Wan et al., CVPRW 2024; winner of NTIRE 2024).

A block's features weigh themselves, by an activation that is odd about zero, instead of by trained attention.
Authors train each 3x3 convolution as a sum of longer ways; here they are the plain ones that result.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from enhance_cli.arch.blocks import RGB_MEAN, conv
from enhance_cli.arch.contract import ArchSpec


class SPAN(nn.Module):
    """x: (N, 3, H, W) RGB in [0, 1] -> (N, 3, scale H, scale W), not clipped.

    With `norm`, as published, the input is centred and stretched to 255 inside.
    """

    mean: Tensor

    def __init__(self, *, scale: int, n_blocks: int = 6, n_feats: int = 48, norm: bool = True) -> None:
        super().__init__()
        self.norm = norm
        # Not among the stored tensors of published files.
        self.register_buffer("mean", torch.tensor(RGB_MEAN).view(1, 3, 1, 1), persistent=False)
        self.head = conv(3, n_feats)
        self.blocks = nn.ModuleList(Block(n_feats) for _ in range(n_blocks))
        self.after_blocks = conv(n_feats, n_feats)
        self.join = conv(4 * n_feats, n_feats, 1)
        self.tail = nn.Sequential(conv(n_feats, 3 * scale**2), nn.PixelShuffle(scale))

    def forward(self, x: Tensor) -> Tensor:
        """Enlarge x by the network's scale."""
        shallow = self.head((x - self.mean) * 255.0 if self.norm else x)
        y, begun = shallow, shallow
        outputs = []
        for block in self.blocks:
            y, begun = block(y)
            outputs.append(y)
        # The first block's result, and what the last one's first convolution made.
        return self.tail(self.join(torch.cat((shallow, self.after_blocks(y), outputs[0], begun), 1)))


class Block(nn.Module):
    """Three convolutions whose result weighs itself."""

    def __init__(self, n_feats: int) -> None:
        super().__init__()
        self.c1_r = conv(n_feats, n_feats)
        self.c2_r = conv(n_feats, n_feats)
        self.c3_r = conv(n_feats, n_feats)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x: (N, n_feats, H, W) -> the block's result, and its first convolution's; same shape each."""
        begun = self.c1_r(x)
        y = self.c3_r(F.silu(self.c2_r(F.silu(begun))))
        return (y + x) * (y.sigmoid() - 0.5), begun


def spec(*, scale: int, n_blocks: int = 6, n_feats: int = 48, norm: bool = True) -> ArchSpec:
    """How `SPAN` with these parameters wants to be fed."""
    return ArchSpec(colour="rgb", scale=scale, halo=3 * n_blocks + 3)
