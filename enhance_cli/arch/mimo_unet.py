"""MIMO-UNet: rethinking coarse-to-fine in single image deblurring (Cho et al., ICCV 2021).

One encoder that is fed the picture at three sizes, one decoder with an output at each (section 3).
State-dict keys, odd capitals included, are those of the authors' code. All resizing is by nearest
neighbour. MIMO-UNet+ trains with dropout on the fused features, which has no effect on restoring and is
left out.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from enhance_cli.arch.contract import ArchSpec


class MIMOUNet(nn.Module):
    """x: (N, 3, H, W) RGB in [0, 1], H and W multiples of 4 -> pictures at 1/4, 1/2 and full size.

    Nothing is clipped; the last output is the result.
    n_res is 8 for MIMO-UNet and 20 for MIMO-UNet+.
    """

    def __init__(self, *, n_res: int = 8, n_feats: int = 32) -> None:
        super().__init__()
        n1, n2, n3 = n_feats, 2 * n_feats, 4 * n_feats
        self.Encoder = nn.ModuleList(Stage(n, n_res) for n in (n1, n2, n3))
        self.feat_extract = nn.ModuleList(
            [
                Conv(3, n1, 3),
                Conv(n1, n2, 3, stride=2),
                Conv(n2, n3, 3, stride=2),
                UpConv(n3, n2),
                UpConv(n2, n1),
                Conv(n1, 3, 3, relu=False),
            ]
        )
        self.Decoder = nn.ModuleList(Stage(n, n_res) for n in (n3, n2, n1))
        self.Convs = nn.ModuleList([Conv(n3, n2, 1), Conv(n2, n1, 1)])
        self.ConvsOut = nn.ModuleList([Conv(n3, 3, 3, relu=False), Conv(n2, 3, 3, relu=False)])
        self.AFFs = nn.ModuleList(AFF(n1 + n2 + n3, n) for n in (n1, n2))
        self.FAM1, self.SCM1 = FAM(n3), SCM(n3)
        self.FAM2, self.SCM2 = FAM(n2), SCM(n2)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Deblur x: results at quarter, half and full size."""
        half = _half(x)
        quarter = _half(half)

        # Multi-input single encoder, section 3.1
        level1 = self.Encoder[0](self.feat_extract[0](x))
        level2 = self.Encoder[1](self.FAM2(self.feat_extract[1](level1), self.SCM2(half)))
        level3 = self.Encoder[2](self.FAM1(self.feat_extract[2](level2), self.SCM1(quarter)))

        # Asymmetric feature fusion, section 3.3
        fused1 = self.AFFs[0](level1, level2, level3)
        fused2 = self.AFFs[1](_half(level1), level2, level3)

        # Multi-output single decoder, section 3.2
        z = self.Decoder[0](level3)
        out_quarter = self.ConvsOut[0](z) + quarter
        z = self.Decoder[1](self.Convs[0](torch.cat([self.feat_extract[3](z), fused2], 1)))
        out_half = self.ConvsOut[1](z) + half
        z = self.Decoder[2](self.Convs[1](torch.cat([self.feat_extract[4](z), fused1], 1)))
        return [out_quarter, out_half, self.feat_extract[5](z) + x]


class Conv(nn.Module):
    """A convolution, and ReLU unless told otherwise."""

    def __init__(self, n_in: int, n_out: int, size: int, *, stride: int = 1, relu: bool = True) -> None:
        super().__init__()
        conv = nn.Conv2d(n_in, n_out, size, stride=stride, padding=size // 2)
        self.main = nn.Sequential(conv, nn.ReLU()) if relu else nn.Sequential(conv)

    def forward(self, x: Tensor) -> Tensor:
        """x: (N, n_in, H, W) -> (N, n_out, H / stride, W / stride)."""
        return self.main(x)


class UpConv(nn.Module):
    """Transposed convolution to twice the size, and ReLU."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.main = nn.Sequential(nn.ConvTranspose2d(n_in, n_out, 4, stride=2, padding=1), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        """x: (N, n_in, H, W) -> (N, n_out, 2 H, 2 W)."""
        return self.main(x)


class ResBlock(nn.Module):
    """Conv, ReLU, conv, plus the input."""

    def __init__(self, n_feats: int) -> None:
        super().__init__()
        self.main = nn.Sequential(Conv(n_feats, n_feats, 3), Conv(n_feats, n_feats, 3, relu=False))

    def forward(self, x: Tensor) -> Tensor:
        """x: (N, n_feats, H, W), same shape out."""
        return x + self.main(x)


class Stage(nn.Module):
    """The residual blocks of one encoder (EB) or decoder (DB) level."""

    def __init__(self, n_feats: int, n_res: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(*(ResBlock(n_feats) for _ in range(n_res)))

    def forward(self, x: Tensor) -> Tensor:
        """x: (N, n_feats, H, W), same shape out."""
        return self.layers(x)


class SCM(nn.Module):
    """Shallow convolutional module: features of a shrunk picture, the picture itself in front."""

    def __init__(self, n_out: int) -> None:
        super().__init__()
        self.main = nn.Sequential(
            Conv(3, n_out // 4, 3),
            Conv(n_out // 4, n_out // 2, 1),
            Conv(n_out // 2, n_out // 2, 3),
            Conv(n_out // 2, n_out - 3, 1),
        )
        self.conv = Conv(n_out, n_out, 1, relu=False)

    def forward(self, x: Tensor) -> Tensor:
        """x: (N, 3, H, W) -> (N, n_out, H, W)."""
        return self.conv(torch.cat([x, self.main(x)], 1))


class FAM(nn.Module):
    """Feature attention module: the encoder's features, plus what they share with the shrunk picture."""

    def __init__(self, n_feats: int) -> None:
        super().__init__()
        self.merge = Conv(n_feats, n_feats, 3, relu=False)

    def forward(self, encoded: Tensor, shallow: Tensor) -> Tensor:
        """Both (N, n_feats, H, W), same shape out."""
        return encoded + self.merge(encoded * shallow)


class AFF(nn.Module):
    """Asymmetric feature fusion: all three encoder levels, brought to the first's size, joined.

    A 1x1 convolution of pictures side by side is the sum of one for each, and may as well come before a
    nearest-neighbour enlargement: so the wide maps are never held at full size, where they took most of
    the network's memory.
    """

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(Conv(n_in, n_out, 1), Conv(n_out, n_out, 3, relu=False))

    def forward(self, *levels: Tensor) -> Tensor:
        """(N, C, H / 2^k, W / 2^k) each, C adding up to n_in, the first (N, C, H, W) -> (N, n_out, H, W)."""
        join = cast(nn.Conv2d, self.conv.get_submodule("0.main.0"))
        weights = join.weight.split([level.shape[1] for level in levels], 1)
        joined = F.conv2d(levels[0], weights[0], join.bias)
        for level, weight in zip(levels[1:], weights[1:], strict=True):
            joined = joined + F.interpolate(F.conv2d(level, weight), size=joined.shape[2:], mode="nearest")
        return self.conv[1](F.relu(joined))


def _half(x: Tensor) -> Tensor:
    return x[:, :, ::2, ::2]


def spec(*, n_res: int = 8, n_feats: int = 32) -> ArchSpec:
    """How `MIMOUNet` with these parameters wants to be fed."""
    # Longest path: through both stages of each level and, on the way, at full size two convolutions and the
    # first shrinking one, at half size FAM, shrinking and enlarging, at quarter size FAM and enlarging.
    full, at_half, at_quarter = 4 * n_res + 3, 4 * n_res + 3, 4 * n_res + 2
    halo = full + 2 * at_half + 4 * at_quarter
    return ArchSpec(colour="rgb", multiple=4, minimum=4, halo=halo, output=2)
