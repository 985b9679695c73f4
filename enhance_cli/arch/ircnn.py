"""IRCNN: learning deep CNN denoiser prior for image restoration (Zhang et al., CVPR 2017).

Section 3.2, figure 1: seven dilated convolutions see as far as sixteen plain ones and predict the noise; one
small network for each noise level, batch norm merged. State-dict keys are those of the authors' PyTorch
code (KAIR): `model.0`, `model.2`, ..., `model.12`.
"""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from enhance_cli.arch.contract import ArchSpec

DILATIONS = (1, 2, 3, 4, 3, 2, 1)


class IRCNN(nn.Module):
    """x: (N, n_colours, H, W) in [0, 1] -> same shape, not clipped."""

    def __init__(self, *, n_colours: int = 1, n_feats: int = 64) -> None:
        super().__init__()
        inner = [n_feats] * (len(DILATIONS) - 1)
        widths = pairwise((n_colours, *inner, n_colours))
        layers: list[nn.Module] = []
        for (n_in, n_out), reach in zip(widths, DILATIONS, strict=True):
            layers += [nn.Conv2d(n_in, n_out, 3, padding=reach, dilation=reach), nn.ReLU()]
        self.model = nn.Sequential(*layers[:-1])

    def forward(self, x: Tensor) -> Tensor:
        """The picture without the predicted noise."""
        return x - self.model(x)


def spec(*, n_colours: int = 1, n_feats: int = 64) -> ArchSpec:
    """How `IRCNN` with these parameters wants to be fed."""
    return ArchSpec(colour="rgb" if n_colours == 3 else "gray", halo=sum(DILATIONS))
