"""FSRCNN: accelerating the super-resolution convolutional neural network (Dong et al., ECCV 2016).

Section 3.2: feature extraction 5x5, shrinking 1x1, m times mapping 3x3, expanding 1x1, each with PReLU,
then a 9x9 deconvolution with stride `scale`: all but that works at the small size. The paper's
FSRCNN(d, s, m) is n_feats, n_shrunk, n_mappings. State-dict keys are those of yjn870's FSRCNN-pytorch,
the most used layout: `first_part.0` and `.1`, `mid_part.N`, and `last_part`, which pads by 4 and puts out
exactly scale times the input.
"""

from __future__ import annotations

from torch import Tensor, nn

from enhance_cli.arch.blocks import conv
from enhance_cli.arch.contract import ArchSpec


class FSRCNN(nn.Module):
    """x: (N, n_colours, H, W) in [0, 1] -> (N, n_colours, scale H, scale W), not clipped.

    The defaults are FSRCNN(56, 12, 4); FSRCNN-s is (32, 5, 1). No tensor's shape depends on scale.
    """

    def __init__(
        self, *, scale: int, n_colours: int = 1, n_feats: int = 56, n_shrunk: int = 12, n_mappings: int = 4
    ) -> None:
        super().__init__()
        self.first_part = activated(n_colours, n_feats, 5)
        self.mid_part = nn.Sequential(
            *activated(n_feats, n_shrunk, 1),
            *(layer for _ in range(n_mappings) for layer in activated(n_shrunk, n_shrunk, 3)),
            *activated(n_shrunk, n_feats, 1),
        )
        self.last_part = nn.ConvTranspose2d(
            n_feats, n_colours, 9, stride=scale, padding=4, output_padding=scale - 1
        )

    def forward(self, x: Tensor) -> Tensor:
        """Enlarge x by the network's scale."""
        return self.last_part(self.mid_part(self.first_part(x)))


def activated(n_in: int, n_out: int, size: int) -> nn.Sequential:
    """A convolution and a PReLU with one slope for each channel."""
    return nn.Sequential(conv(n_in, n_out, size), nn.PReLU(n_out))


def spec(
    *, scale: int, n_colours: int = 1, n_feats: int = 56, n_shrunk: int = 12, n_mappings: int = 4
) -> ArchSpec:
    """How `FSRCNN` with these parameters wants to be fed."""
    return ArchSpec(
        colour="rgb" if n_colours == 3 else "y",
        scale=scale,
        # The last enlarged pixel of a cell, scale - 1 behind its first, sees 4 more: (scale + 3) // scale.
        halo=2 + n_mappings + 1 + 3 // scale,
        # The output is the picture and no residual; bfloat16 would round it to half grey levels.
        half=("float16",),
    )
