"""MDSR: one network for several scales (Lim et al., CVPRW 2017, section 3.3 and figure 5).

Scale-specific blocks of large kernels bring pictures of all scales to a common footing; most of the network
is shared; one upsampler for each scale ends it. State-dict keys are those of EDSR-PyTorch.
"""

from __future__ import annotations

from torch import Tensor, nn

from enhance_cli.arch.blocks import MeanShift, ResBlock, conv, upsampler
from enhance_cli.arch.contract import ArchSpec

SCALES = (2, 3, 4)
"""Branches, in the order of the published files."""


class MDSR(nn.Module):
    """x: (N, 3, H, W) RGB in 0..255 -> (N, 3, scale H, scale W), not clipped.

    The module holds the branches of all SCALES and runs the one of `scale`, else ValueError, until `turn_to`
    chooses another. The defaults are the baseline; the full network has n_blocks=80.
    """

    def __init__(self, *, scale: int, n_blocks: int = 16, n_feats: int = 64) -> None:
        super().__init__()
        self.turn_to(scale)
        self.sub_mean = MeanShift(-1)
        self.add_mean = MeanShift(1)
        self.head = nn.Sequential(conv(3, n_feats))
        self.pre_process = nn.ModuleList(
            nn.Sequential(ResBlock(n_feats, size=5), ResBlock(n_feats, size=5)) for _ in SCALES
        )
        blocks = (ResBlock(n_feats) for _ in range(n_blocks))
        self.body = nn.Sequential(*blocks, conv(n_feats, n_feats))
        self.upsample = nn.ModuleList(upsampler(s, n_feats) for s in SCALES)
        self.tail = nn.Sequential(conv(n_feats, 3))

    def turn_to(self, scale: int) -> None:
        """Run the branch of another scale from now on; ValueError if there is none."""
        if scale not in SCALES:
            raise ValueError(f"scale must be one of {', '.join(map(str, SCALES))}, not {scale}")
        self.branch = SCALES.index(scale)

    def forward(self, x: Tensor) -> Tensor:
        """Enlarge x by the network's scale."""
        x = self.pre_process[self.branch](self.head(self.sub_mean(x)))
        x = self.upsample[self.branch](x + self.body(x))
        return self.add_mean(self.tail(x))


def spec(*, scale: int, n_blocks: int = 16, n_feats: int = 64) -> ArchSpec:
    """How `MDSR` with these parameters wants to be fed."""
    # As EDSR, and four 5x5 convolutions before it.
    return ArchSpec(colour="rgb", scale=scale, value_range=255.0, halo=2 * n_blocks + 12, half=("float16",))
