"""FDnCNN: DnCNN that is told the noise level (Zhang et al., TIP 2018, whose FFDNet grew from it).

The chain of DnCNN with the noise level as one more constant input channel; like FFDNet it predicts the
clean picture itself, without a residual. State-dict keys are those of the authors' PyTorch code (KAIR).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from enhance_cli.arch.blocks import conv_chain
from enhance_cli.arch.contract import ArchSpec


class FDnCNN(nn.Module):
    """x: (N, n_colours, H, W) in [0, 1], sigma: (N, 1, 1, 1) noise / 255 -> same shape as x, not clipped."""

    def __init__(self, *, n_colours: int = 1, n_feats: int = 64, n_layers: int = 20) -> None:
        super().__init__()
        self.model = conv_chain(n_colours + 1, n_feats, n_colours, n_layers)

    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Denoise x."""
        level = sigma.to(x.dtype).expand(x.shape[0], 1, *x.shape[2:])
        return self.model(torch.cat([x, level], 1))


def spec(*, n_colours: int = 1, n_feats: int = 64, n_layers: int = 20) -> ArchSpec:
    """How `FDnCNN` with these parameters wants to be fed."""
    # The output is the picture and no residual; bfloat16 would round it to half grey levels.
    return ArchSpec(
        colour="rgb" if n_colours == 3 else "gray", halo=n_layers, condition="sigma", half=("float16",)
    )
