"""EDSR: enhanced deep residual networks for single image super-resolution (Lim et al., CVPRW 2017).

SRResNet without batch norm (section 3.1, figure 2c), residual scaling against unstable training of wide
networks (section 3.2), sub-pixel upsampling. State-dict keys are those of EDSR-PyTorch.
"""

from __future__ import annotations

from torch import Tensor, nn

from enhance_cli.arch.blocks import MeanShift, ResBlock, conv, upsampler
from enhance_cli.arch.contract import ArchSpec


class EDSR(nn.Module):
    """x: (N, 3, H, W) RGB in 0..255 -> (N, 3, scale H, scale W), not clipped.

    scale is 2, 3, 4 or 8, else ValueError. The defaults are the baseline; the full network has n_blocks=32,
    n_feats=256 and res_scale=0.1, which is not among the stored tensors and must come with them.
    """

    def __init__(self, *, scale: int, n_blocks: int = 16, n_feats: int = 64, res_scale: float = 1.0) -> None:
        super().__init__()
        self.sub_mean = MeanShift(-1)
        self.add_mean = MeanShift(1)
        self.head = nn.Sequential(conv(3, n_feats))
        blocks = (ResBlock(n_feats, res_scale) for _ in range(n_blocks))
        self.body = nn.Sequential(*blocks, conv(n_feats, n_feats))
        self.tail = nn.Sequential(upsampler(scale, n_feats), conv(n_feats, 3))

    def forward(self, x: Tensor) -> Tensor:
        """Enlarge x by the network's scale."""
        x = self.head(self.sub_mean(x))
        return self.add_mean(self.tail(x + self.body(x)))


def spec(*, scale: int, n_blocks: int = 16, n_feats: int = 64, res_scale: float = 1.0) -> ArchSpec:
    """How `EDSR` with these parameters wants to be fed."""
    # Head, end of the body and first upsampling stage are one pixel each; the convolutions on enlarged
    # pixels together never reach beyond the next input pixel. bfloat16 holds 0..255 in steps of up to 1.
    return ArchSpec(colour="rgb", scale=scale, value_range=255.0, halo=2 * n_blocks + 4, half=("float16",))
