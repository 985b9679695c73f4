"""AR-CNN: compression artifacts reduction by a deep convolutional network (Dong et al., ICCV 2015).

Section 3.2: SRCNN with a layer that enhances the noisy features: extraction 9x9, enhancement 7x7, mapping
1x1, reconstruction 5x5. Fast AR-CNN (Yu et al. 2016) halves the size in the first layer and
restores it by a 9x9 deconvolution in the last, and splits the enhancement ("layer decomposition") by 1x1
convolutions. State-dict keys are those of yjn870's ARCNN-pytorch, which takes RGB where the papers take
luma, and one PReLU slope for each layer.
"""

from __future__ import annotations

from torch import Tensor, nn

from enhance_cli.arch.blocks import conv
from enhance_cli.arch.contract import ArchSpec


class ARCNN(nn.Module):
    """x: (N, n_colours, H, W) in [0, 1] -> same shape, not clipped, no residual.

    With `fast`, odd heights and widths come out one pixel larger.
    """

    def __init__(self, *, n_colours: int = 3, fast: bool = False) -> None:
        super().__init__()
        if fast:
            first = nn.Conv2d(n_colours, 64, 9, stride=2, padding=4)
            chain = [first, conv(64, 32, 1), conv(32, 32, 7), conv(32, 64, 1)]
            self.last: nn.Module = nn.ConvTranspose2d(64, n_colours, 9, stride=2, padding=4, output_padding=1)
        else:
            chain = [conv(n_colours, 64, 9), conv(64, 32, 7), conv(32, 16, 1)]
            self.last = conv(16, n_colours, 5)
        self.base = nn.Sequential(*(layer for step in chain for layer in (step, nn.PReLU())))

    def forward(self, x: Tensor) -> Tensor:
        """The picture itself without JPEG artefacts."""
        return self.last(self.base(x))


def spec(*, n_colours: int = 3, fast: bool = False) -> ArchSpec:
    """How `ARCNN` with these parameters wants to be fed."""
    return ArchSpec(
        colour="rgb" if n_colours == 3 else "y",
        multiple=2 if fast else 1,
        # 9x9, 7x7, 5x5; or 9x9, 7x7 on pixels of double size, 9x9.
        halo=4 + 2 * 3 + 4 if fast else 4 + 3 + 2,
        # The output is the picture and no residual; bfloat16 would round it to half grey levels.
        half=("float16",),
    )
