"""RCAN: very deep residual channel attention networks (Zhang et al., ECCV 2018).

Residual in residual (section 3.2): groups of blocks, each with a skip connection of its own; every block
(RCAB, section 3.4) weighs its channels by what they hold on average over the picture (section 3.3).
State-dict keys are the authors'.
"""

from __future__ import annotations

from torch import Tensor, nn

from enhance_cli.arch.blocks import MeanShift, channel_gate, conv, upsampler
from enhance_cli.arch.contract import ArchSpec


class RCAN(nn.Module):
    """x: (N, 3, H, W) RGB in 0..255 -> (N, 3, scale H, scale W), not clipped.

    scale is 2, 3, 4 or 8, else ValueError. The defaults are those of the published networks.
    """

    def __init__(
        self,
        *,
        scale: int,
        n_groups: int = 10,
        n_blocks: int = 20,
        n_feats: int = 64,
        reduction: int = 16,
    ) -> None:
        super().__init__()
        self.sub_mean = MeanShift(-1)
        self.add_mean = MeanShift(1)
        self.head = nn.Sequential(conv(3, n_feats))
        groups = []
        for _ in range(n_groups):
            blocks = [
                Residual(
                    conv(n_feats, n_feats),
                    nn.ReLU(),
                    conv(n_feats, n_feats),
                    ChannelAttention(n_feats, reduction),
                )
                for _ in range(n_blocks)
            ]
            groups.append(Residual(*blocks, conv(n_feats, n_feats)))
        self.body = nn.Sequential(*groups, conv(n_feats, n_feats))
        self.tail = nn.Sequential(upsampler(scale, n_feats), conv(n_feats, 3))

    def forward(self, x: Tensor) -> Tensor:
        """Enlarge x by the network's scale."""
        x = self.head(self.sub_mean(x))
        return self.add_mean(self.tail(x + self.body(x)))


class Residual(nn.Module):
    """The input plus what a chain of layers makes of it."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.body = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """x: (N, C, H, W), same shape out."""
        return x + self.body(x)


class ChannelAttention(nn.Module):
    """Every channel times a weight in 0..1, made from the averages of all channels."""

    def __init__(self, n_feats: int, reduction: int) -> None:
        super().__init__()
        self.conv_du = channel_gate(n_feats, reduction)

    def forward(self, x: Tensor) -> Tensor:
        """x: (N, n_feats, H, W), same shape out."""
        return x * self.conv_du(x.mean((2, 3), keepdim=True))


def spec(
    *, scale: int, n_groups: int = 10, n_blocks: int = 20, n_feats: int = 64, reduction: int = 16
) -> ArchSpec:
    """How `RCAN` with these parameters wants to be fed."""
    return ArchSpec(
        colour="rgb",
        scale=scale,
        value_range=255.0,
        # Channel attention averages over the whole map, so that no halo makes tiles exact. The convolutions
        # alone see 414 pixels far in the published size; the authors' tiles overlap by 10.
        halo=min(n_groups * (2 * n_blocks + 1) + 4, 32),
        tiling="approximate",
        # bfloat16 holds 0..255 in steps of up to 1.
        half=("float16",),
    )
