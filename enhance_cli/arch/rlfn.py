"""RLFN: residual local feature network for efficient super-resolution (Kong et al., CVPRW 2022; NTIRE 2022).

Blocks of three convolutions with a skip, each followed by the spatial attention of RFANet (Liu et al. 2020)
without its middle convolutions.  Six blocks of 52 features; the challenge was won with four, narrower ones.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from enhance_cli.arch.blocks import conv
from enhance_cli.arch.contract import ArchSpec

SLOPE = 0.05
"""Of the leaky ReLU where values are negative."""


class RLFN(nn.Module):
    """x: (N, 3, H, W) RGB in 0..255 -> (N, 3, scale H, scale W), not clipped; H and W at least 15.

    n_mid: features inside a block, n_feats unless given; n_attention: features of the attention.
    """

    def __init__(
        self,
        *,
        scale: int,
        n_blocks: int = 6,
        n_feats: int = 52,
        n_mid: int | None = None,
        n_attention: int = 16,
    ) -> None:
        super().__init__()
        self.head = conv(3, n_feats)
        self.blocks = nn.Sequential(*(Block(n_feats, n_mid or n_feats, n_attention) for _ in range(n_blocks)))
        self.after_blocks = conv(n_feats, n_feats)
        self.tail = nn.Sequential(conv(n_feats, 3 * scale**2), nn.PixelShuffle(scale))

    def forward(self, x: Tensor) -> Tensor:
        """Enlarge x by the network's scale."""
        x = self.head(x)
        return self.tail(self.after_blocks(self.blocks(x)) + x)


class Block(nn.Module):
    """Three convolutions around a skip, one across channels, attention."""

    def __init__(self, n_feats: int, n_mid: int, n_attention: int) -> None:
        super().__init__()
        self.c1_r = conv(n_feats, n_mid)
        self.c2_r = conv(n_mid, n_mid)
        self.c3_r = conv(n_mid, n_feats)
        self.c5 = conv(n_feats, n_feats, 1)
        self.esa = SpatialAttention(n_feats, n_attention)

    def forward(self, x: Tensor) -> Tensor:
        """x: (N, n_feats, H, W), same shape out."""
        y = x
        for layer in (self.c1_r, self.c2_r, self.c3_r):
            y = F.leaky_relu(layer(y), SLOPE)
        return self.esa(self.c5(y + x))


class SpatialAttention(nn.Module):
    """A weight for every number, from a sixth of the resolution and a few features."""

    def __init__(self, n_feats: int, n_narrow: int) -> None:
        super().__init__()
        self.conv1 = conv(n_feats, n_narrow, 1)
        self.conv_f = conv(n_narrow, n_narrow, 1)
        self.conv2 = nn.Conv2d(n_narrow, n_narrow, 3, stride=2)
        self.conv3 = conv(n_narrow, n_narrow)
        self.conv4 = conv(n_narrow, n_feats, 1)

    def forward(self, x: Tensor) -> Tensor:
        """x: (N, n_feats, H, W), same shape out; H and W at least 15."""
        narrow = self.conv1(x)
        coarse = self.conv3(F.max_pool2d(self.conv2(narrow), 7, stride=3))
        coarse = F.interpolate(coarse, size=x.shape[2:], mode="bilinear", align_corners=False)
        return x * self.conv4(coarse + self.conv_f(narrow)).sigmoid()


def spec(
    *, scale: int, n_blocks: int = 6, n_feats: int = 52, n_mid: int | None = None, n_attention: int = 16
) -> ArchSpec:
    """How `RLFN` with these parameters wants to be fed."""
    # The coarse map is stretched over whatever the network is given, so that no halo makes tiles exact.
    # bfloat16 holds 0..255 in steps of up to 1.
    return ArchSpec(
        colour="rgb",
        scale=scale,
        value_range=255.0,
        minimum=15,
        halo=32,
        tiling="approximate",
        half=("float16",),
    )
