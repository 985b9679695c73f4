"""DnCNN: beyond a Gaussian denoiser (Zhang et al., TIP 2017).

Section III: a plain chain of 3x3 convolutions that predicts the noise ("residual learning"). State-dict
keys are those of the authors' PyTorch code (KAIR): `model.0`, `model.2`, ... With `batch_norm` it is the
training layout ("Conv+BN+ReLU"); the published files have it merged into the convolutions.
"""

from __future__ import annotations

from torch import Tensor, nn

from enhance_cli.arch.blocks import conv_chain
from enhance_cli.arch.contract import ArchSpec


class DnCNN(nn.Module):
    """x: (N, n_colours, H, W) in [0, 1] -> same shape, not clipped.

    n_layers is 17 for one noise level and 20 for the blind models.
    """

    def __init__(
        self, *, n_colours: int = 1, n_feats: int = 64, n_layers: int = 17, batch_norm: bool = False
    ) -> None:
        super().__init__()
        self.model = conv_chain(n_colours, n_feats, n_colours, n_layers, batch_norm=batch_norm)

    def forward(self, x: Tensor) -> Tensor:
        """The picture without the predicted residual."""
        return x - self.model(x)


def spec(*, n_colours: int = 1, n_feats: int = 64, n_layers: int = 17, batch_norm: bool = False) -> ArchSpec:
    """How `DnCNN` with these parameters wants to be fed."""
    return ArchSpec(colour="rgb" if n_colours == 3 else "gray", halo=n_layers)
