"""The generator of SRGAN: photo-realistic single image super-resolution (Ledig et al., CVPR 2017).

Section 2.1.1, figure 4: residual blocks with batch norm and PReLU, a skip around all of them, sub-pixel
upsampling. As in leftthomas/SRGAN, the public PyTorch network, the output goes through (tanh + 1) / 2, each
PReLU has one slope, and there are five blocks instead of sixteen.
"""

from __future__ import annotations

from torch import Tensor, nn

from enhance_cli.arch.blocks import conv, upsampler
from enhance_cli.arch.contract import ArchSpec


class SRGAN(nn.Module):
    """x: (N, 3, H, W) RGB in [0, 1] -> (N, 3, scale H, scale W) in [0, 1].

    scale is 2, 3, 4 or 8, else ValueError; published are 2, 4 and 8.
    """

    def __init__(self, *, scale: int, n_blocks: int = 5, n_feats: int = 64) -> None:
        super().__init__()
        self.head = nn.Sequential(conv(3, n_feats, 9), nn.PReLU())
        blocks = (Block(n_feats) for _ in range(n_blocks))
        self.body = nn.Sequential(*blocks, conv(n_feats, n_feats), nn.BatchNorm2d(n_feats))
        self.upsample = upsampler(scale, n_feats, nn.PReLU)
        self.tail = conv(n_feats, 3, 9)

    def forward(self, x: Tensor) -> Tensor:
        """Enlarge x by the network's scale."""
        x = self.head(x)
        return (self.tail(self.upsample(x + self.body(x))).tanh() + 1) / 2


class Block(nn.Module):
    """Conv, batch norm, PReLU, conv, batch norm, plus the input."""

    def __init__(self, n_feats: int) -> None:
        super().__init__()
        self.conv1 = conv(n_feats, n_feats)
        self.bn1 = nn.BatchNorm2d(n_feats)
        self.prelu = nn.PReLU()
        self.conv2 = conv(n_feats, n_feats)
        self.bn2 = nn.BatchNorm2d(n_feats)

    def forward(self, x: Tensor) -> Tensor:
        """x: (N, n_feats, H, W), same shape out."""
        y = self.prelu(self.bn1(self.conv1(x)))
        return x + self.bn2(self.conv2(y))


def spec(*, scale: int, n_blocks: int = 5, n_feats: int = 64) -> ArchSpec:
    """How `SRGAN` with these parameters wants to be fed."""
    # First and last convolution of the body's frame are four and one pixels; the first upsampling stage and
    # all convolutions on enlarged pixels together see three. bfloat16 would round 0..1 to half grey levels.
    return ArchSpec(colour="rgb", scale=scale, halo=2 * n_blocks + 8, half=("float16",))
