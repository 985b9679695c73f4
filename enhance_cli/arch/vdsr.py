"""VDSR: accurate image super-resolution using very deep convolutional networks (Kim et al., CVPR 2016).

Section 3.1: a plain chain of 3x3 convolutions with ReLU between them predicts what the interpolated picture
lacks, which is then added ("residual learning", section 3.2); one network serves all scales.

The paper's network works on luma in 0..1. The colour one is EDSR-PyTorch's: RGB in 0..255, the mean
colour taken away for the chain, zero padding included. State-dict keys are those of EDSR-PyTorch. The
published luma file has no biases; zero ones are the same.
"""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from enhance_cli.arch.blocks import MeanShift, conv
from enhance_cli.arch.contract import ArchSpec


class VDSR(nn.Module):
    """x: (N, n_colours, H, W), enlarged beforehand -> same shape, not clipped.

    n_colours=1: luma in [0, 1]; n_colours=3: RGB in [0, 255]; ValueError for others.
    """

    def __init__(self, *, n_colours: int = 1, n_feats: int = 64, n_layers: int = 20) -> None:
        super().__init__()
        if n_colours not in (1, 3):
            raise ValueError(f"n_colours must be 1 or 3, not {n_colours}")
        self.sub_mean = MeanShift(-1) if n_colours == 3 else nn.Identity()
        self.add_mean = MeanShift(1) if n_colours == 3 else nn.Identity()
        widths = [n_colours, *[n_feats] * (n_layers - 1)]
        layers = [nn.Sequential(conv(*pair), nn.ReLU()) for pair in pairwise(widths)]
        self.body = nn.Sequential(*layers, nn.Sequential(conv(n_feats, n_colours)))

    def forward(self, x: Tensor) -> Tensor:
        """The enlarged picture with the details it lacked."""
        x = self.sub_mean(x)
        return self.add_mean(x + self.body(x))


def spec(*, n_colours: int = 1, n_feats: int = 64, n_layers: int = 20) -> ArchSpec:
    """How `VDSR` with these parameters wants to be fed."""
    if n_colours == 1:
        return ArchSpec(colour="y", pre_upsampled=True, halo=n_layers)
    # bfloat16 holds 0..255 in steps of up to 1.
    return ArchSpec(colour="rgb", pre_upsampled=True, value_range=255.0, halo=n_layers, half=("float16",))
