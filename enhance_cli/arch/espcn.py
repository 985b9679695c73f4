"""ESPCN: super-resolution by an efficient sub-pixel convolutional network (Shi et al., CVPR 2016).

Section 2: convolutions at the small size, then the periodic shuffle of r^2 channels for each colour as the
only step to the large one. Kernels are 5, 3 and 3; between them tanh, which the paper measured to be better
than ReLU. State-dict keys are those of yjn870's ESPCN-pytorch, the most used layout: `first_part.0`,
`first_part.2` and `last_part.0`.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from enhance_cli.arch.blocks import conv
from enhance_cli.arch.contract import ArchSpec


class ESPCN(nn.Module):
    """x: (N, n_colours, H, W) in [0, 1] -> (N, n_colours, scale H, scale W), not clipped.

    n_feats are the paper's (n1, n2); any scale from 1 up.
    """

    def __init__(self, *, scale: int, n_colours: int = 1, n_feats: Sequence[int] = (64, 32)) -> None:
        super().__init__()
        n1, n2 = n_feats
        self.first_part = nn.Sequential(conv(n_colours, n1, 5), nn.Tanh(), conv(n1, n2), nn.Tanh())
        self.last_part = nn.Sequential(conv(n2, n_colours * scale**2), nn.PixelShuffle(scale))

    def forward(self, x: Tensor) -> Tensor:
        """Enlarge x by the network's scale."""
        return self.last_part(self.first_part(x))


def spec(*, scale: int, n_colours: int = 1, n_feats: Sequence[int] = (64, 32)) -> ArchSpec:
    """How `ESPCN` with these parameters wants to be fed."""
    # The output is the picture and no residual; bfloat16 would round it to half grey levels.
    return ArchSpec(colour="rgb" if n_colours == 3 else "y", scale=scale, halo=4, half=("float16",))
