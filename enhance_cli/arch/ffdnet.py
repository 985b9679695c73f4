"""FFDNet: a fast and flexible denoiser with a noise level map (Zhang et al., TIP 2018).

Section III: the picture is rearranged into four half-size pictures ("denoising on sub-images"), the noise
level appended as a constant map ("noise level map"), and a plain chain of convolutions predicts the clean
picture itself, without a residual. State-dict keys are those of the authors' PyTorch code (KAIR):
`model.0`, `model.2`, ...
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from enhance_cli.arch.blocks import conv_chain
from enhance_cli.arch.contract import ArchSpec


class FFDNet(nn.Module):
    """x: (N, n_colours, H, W) in [0, 1], sigma: (N, 1, 1, 1) noise / 255 -> same shape as x, not clipped.

    The defaults are the gray network; the colour one has n_colours=3, n_feats=96, n_layers=12.
    """

    def __init__(self, *, n_colours: int = 1, n_feats: int = 64, n_layers: int = 15) -> None:
        super().__init__()
        self.model = conv_chain(4 * n_colours + 1, n_feats, 4 * n_colours, n_layers)

    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Denoise x; odd sizes are padded to even ones by repeating the last row or column."""
        height, width = x.shape[2:]
        y = F.pixel_unshuffle(F.pad(x, (0, width % 2, 0, height % 2), mode="replicate"), 2)
        level = sigma.to(y.dtype).expand(y.shape[0], 1, *y.shape[2:])
        y = F.pixel_shuffle(self.model(torch.cat([y, level], 1)), 2)
        return y[:, :, :height, :width]


def spec(*, n_colours: int = 1, n_feats: int = 64, n_layers: int = 15) -> ArchSpec:
    """How `FFDNet` with these parameters wants to be fed."""
    return ArchSpec(
        colour="rgb" if n_colours == 3 else "gray",
        # Any size works, but tiles must not cut through the 2x2 cells.
        multiple=2,
        # Two pixels for each convolution, one more because the pixels of a cell share their view.
        halo=2 * n_layers + 1,
        condition="sigma",
        # The output is the picture and no residual; bfloat16 would round it to half grey levels.
        half=("float16",),
    )
