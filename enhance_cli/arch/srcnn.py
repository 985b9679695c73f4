"""SRCNN: image super-resolution using deep convolutional networks (Dong et al., TPAMI 2016).

Section 3.1: patch extraction, non-linear mapping and reconstruction, each one convolution (equations 1 to 3),
on a picture that bicubic interpolation enlarged before. The sizes f1-f2-f3 and widths n1, n2 are the
paper's names: 9-5-5 with 64 and 32 is its best network, 9-1-5 its first. State-dict keys are those of
yjn870's SRCNN-pytorch, which pads with zeros and so keeps the size.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from enhance_cli.arch.blocks import conv
from enhance_cli.arch.contract import ArchSpec


class SRCNN(nn.Module):
    """x: (N, n_colours, H, W) in [0, 1], enlarged beforehand -> same shape, not clipped.

    kernels are (f1, f2, f3), odd, else ValueError; n_feats are (n1, n2).
    """

    def __init__(
        self, *, n_colours: int = 1, kernels: Sequence[int] = (9, 5, 5), n_feats: Sequence[int] = (64, 32)
    ) -> None:
        super().__init__()
        if not all(size % 2 for size in kernels):
            raise ValueError(f"kernels must have odd sizes, not {tuple(kernels)}")
        (f1, f2, f3), (n1, n2) = kernels, n_feats
        self.conv1 = conv(n_colours, n1, f1)
        self.conv2 = conv(n1, n2, f2)
        self.conv3 = conv(n2, n_colours, f3)

    def forward(self, x: Tensor) -> Tensor:
        """The sharp picture itself, no residual."""
        return self.conv3(F.relu(self.conv2(F.relu(self.conv1(x)))))


def spec(
    *, n_colours: int = 1, kernels: Sequence[int] = (9, 5, 5), n_feats: Sequence[int] = (64, 32)
) -> ArchSpec:
    """How `SRCNN` with these parameters wants to be fed."""
    return ArchSpec(
        colour="rgb" if n_colours == 3 else "y",
        pre_upsampled=True,
        halo=sum(size // 2 for size in kernels),
        # The output is the picture and no residual; bfloat16 would round it to half grey levels.
        half=("float16",),
    )
