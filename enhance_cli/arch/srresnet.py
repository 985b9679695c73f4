"""SRResNet with instance norm, the public PyTorch network of that name (after Ledig et al., CVPR 2017).

Section 2.1.1, figure 4 of the paper, with what twtygqyy/pytorch-SRResNet made of it, whose keys these are:
instance norm in place of batch norm (`bn_mid` is one too), LeakyReLU in place of PReLU, no biases in the
convolutions, enlargement by 4.
"""

from __future__ import annotations

from torch import Tensor, nn

from enhance_cli.arch.contract import ArchSpec

SLOPE = 0.2
"""Of every LeakyReLU."""


class SRResNet(nn.Module):
    """x: (N, 3, H, W) RGB in [0, 1] -> (N, 3, 4 H, 4 W), not clipped.

    Every picture is normalised by its own statistics, so one part of it changes all others; a map of a
    single value has none (ValueError).
    """

    def __init__(self, *, n_blocks: int = 16, n_feats: int = 64) -> None:
        super().__init__()
        self.conv_input = _conv(3, n_feats, 9)
        self.relu = nn.LeakyReLU(SLOPE)
        self.residual = nn.Sequential(*(Block(n_feats) for _ in range(n_blocks)))
        self.conv_mid = _conv(n_feats, n_feats)
        self.bn_mid = nn.InstanceNorm2d(n_feats, affine=True)
        self.upscale4x = nn.Sequential(*_twice_as_large(n_feats), *_twice_as_large(n_feats))
        self.conv_output = _conv(n_feats, 3, 9)

    def forward(self, x: Tensor) -> Tensor:
        """Enlarge x by 4."""
        x = self.relu(self.conv_input(x))
        x = x + self.bn_mid(self.conv_mid(self.residual(x)))
        return self.conv_output(self.upscale4x(x))


class Block(nn.Module):
    """Conv, norm, LeakyReLU, conv, norm, plus the input."""

    def __init__(self, n_feats: int) -> None:
        super().__init__()
        self.conv1 = _conv(n_feats, n_feats)
        self.in1 = nn.InstanceNorm2d(n_feats, affine=True)
        self.relu = nn.LeakyReLU(SLOPE)
        self.conv2 = _conv(n_feats, n_feats)
        self.in2 = nn.InstanceNorm2d(n_feats, affine=True)

    def forward(self, x: Tensor) -> Tensor:
        """x: (N, n_feats, H, W), same shape out."""
        y = self.relu(self.in1(self.conv1(x)))
        return x + self.in2(self.conv2(y))


def _conv(n_in: int, n_out: int, size: int = 3) -> nn.Conv2d:
    return nn.Conv2d(n_in, n_out, size, padding=size // 2, bias=False)


def _twice_as_large(n_feats: int) -> tuple[nn.Module, ...]:
    return _conv(n_feats, 4 * n_feats), nn.PixelShuffle(2), nn.LeakyReLU(SLOPE)


def spec(*, n_blocks: int = 16, n_feats: int = 64) -> ArchSpec:
    """How `SRResNet` with these parameters wants to be fed."""
    return ArchSpec(
        colour="rgb",
        scale=4,
        minimum=2,
        # How far the convolutions see: first, blocks, `conv_mid`, and three pixels from there to the output.
        halo=2 * n_blocks + 8,
        # The norms see everything, but the maps of a photo would not fit into memory as a whole.
        tiling="approximate",
        # The output is the picture and no residual; bfloat16 would round it to half grey levels.
        half=("float16",),
    )
