"""EDSR: enhanced deep residual networks for single image super-resolution (Lim et al., CVPRW 2017).

SRResNet without batch norm (section 3.1, figure 2c), residual scaling against unstable training of wide
networks (section 3.2), sub-pixel upsampling. State-dict keys are those of EDSR-PyTorch.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from enhance_cli.arch.contract import ArchSpec

RGB_MEAN = (0.4488, 0.4371, 0.4040)
"""Mean of the DIV2K training pictures, for values in 0..1."""
STAGES = {2: (2,), 3: (3,), 4: (2, 2)}
"""Enlargements by sub-pixel shuffle that make up each scale."""


class EDSR(nn.Module):
    """x: (N, 3, H, W) RGB in 0..255 -> (N, 3, scale H, scale W), not clipped.

    scale is 2, 3 or 4, else ValueError. The defaults are the baseline; the full network has n_blocks=32,
    n_feats=256 and res_scale=0.1, which is not among the stored tensors and must come with them.
    """

    def __init__(self, *, scale: int, n_blocks: int = 16, n_feats: int = 64, res_scale: float = 1.0) -> None:
        super().__init__()
        if scale not in STAGES:
            raise ValueError(f"scale must be 2, 3 or 4, not {scale}")
        self.sub_mean = MeanShift(-1)
        self.add_mean = MeanShift(1)
        self.head = nn.Sequential(_conv(3, n_feats))
        blocks = (ResBlock(n_feats, res_scale) for _ in range(n_blocks))
        self.body = nn.Sequential(*blocks, _conv(n_feats, n_feats))
        self.tail = nn.Sequential(_upsampler(STAGES[scale], n_feats), _conv(n_feats, 3))

    def forward(self, x: Tensor) -> Tensor:
        """Enlarge x by the network's scale."""
        x = self.head(self.sub_mean(x))
        return self.add_mean(self.tail(x + self.body(x)))


class ResBlock(nn.Module):
    """Conv, ReLU, conv, scaled by res_scale, plus the input."""

    def __init__(self, n_feats: int, res_scale: float) -> None:
        super().__init__()
        self.res_scale = res_scale
        self.body = nn.Sequential(_conv(n_feats, n_feats), nn.ReLU(), _conv(n_feats, n_feats))

    def forward(self, x: Tensor) -> Tensor:
        """x: (N, n_feats, H, W), same shape out."""
        return x + self.res_scale * self.body(x)


class MeanShift(nn.Conv2d):
    """Adds sign times the mean colour, as a 1x1 convolution.

    A module with stored tensors and no constant: published files carry their own, sometimes trained, values.
    """

    def __init__(self, sign: int) -> None:
        super().__init__(3, 3, 1)
        nominal = {
            "weight": torch.eye(3).view(3, 3, 1, 1),
            "bias": sign * 255 * torch.tensor(RGB_MEAN),
        }
        self.load_state_dict(nominal)
        self.requires_grad_(False)


def _conv(n_in: int, n_out: int) -> nn.Conv2d:
    return nn.Conv2d(n_in, n_out, 3, padding=1)


def _upsampler(stages: Sequence[int], n_feats: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for factor in stages:
        layers += [_conv(n_feats, n_feats * factor**2), nn.PixelShuffle(factor)]
    return nn.Sequential(*layers)


def spec(*, scale: int, n_blocks: int = 16, n_feats: int = 64, res_scale: float = 1.0) -> ArchSpec:
    """How `EDSR` with these parameters wants to be fed."""
    # Head, end of the body and first upsampling stage are one pixel each; the convolutions on enlarged
    # pixels together never reach beyond the next input pixel. bfloat16 holds 0..255 in steps of up to 1.
    return ArchSpec(colour="rgb", scale=scale, value_range=255.0, halo=2 * n_blocks + 4, half=("float16",))
