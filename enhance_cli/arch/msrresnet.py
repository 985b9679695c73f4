"""MSRResNet: SRResNet (Ledig et al., CVPR 2017) without batch norm, as BasicSR trains it.

What EDSR showed norms to cost (Lim et al. 2017, section 3.1) is left out; no skip goes around the body.
Instead the whole network adds to a bilinear enlargement.
"""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn
from torch.nn import functional as F

from enhance_cli.arch.blocks import ResBlock, conv, upsampler
from enhance_cli.arch.contract import ArchSpec

SLOPE = 0.1
"""Of every LeakyReLU; inside the residual blocks stands a plain ReLU."""


class MSRResNet(nn.Module):
    """x: (N, 3, H, W) RGB in [0, 1] -> (N, 3, scale H, scale W), not clipped.

    scale is 2, 3, 4 or 8, else ValueError.
    """

    def __init__(self, *, scale: int, n_blocks: int = 16, n_feats: int = 64) -> None:
        super().__init__()
        self.scale = scale
        relu = partial(nn.LeakyReLU, SLOPE)
        self.head = nn.Sequential(conv(3, n_feats), relu())
        self.body = nn.Sequential(*(ResBlock(n_feats) for _ in range(n_blocks)))
        self.upsample = upsampler(scale, n_feats, relu)
        self.tail = nn.Sequential(conv(n_feats, n_feats), relu(), conv(n_feats, 3))

    def forward(self, x: Tensor) -> Tensor:
        """Enlarge x by the network's scale."""
        base = F.interpolate(x, scale_factor=self.scale, mode="bilinear", align_corners=False)
        return self.tail(self.upsample(self.body(self.head(x)))) + base


def spec(*, scale: int, n_blocks: int = 16, n_feats: int = 64) -> ArchSpec:
    """How `MSRResNet` with these parameters wants to be fed."""
    # Head and first upsampling stage are one pixel each, the convolutions on enlarged pixels together one
    # more. The bilinear base sees a single pixel around, within all this.
    return ArchSpec(colour="rgb", scale=scale, halo=2 * n_blocks + 3)
