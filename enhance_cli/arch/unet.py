"""UNet: a narrow residual U-Net on the 2x2-unshuffled picture, for denoising, JPEG and blur on CPUs.

Why this one: working on quarter-size planes makes every layer four times cheaper (FFDNet, Zhang et al.
2018); two further halvings buy the wide view that JPEG blocks and motion blur need for a few percent
of the work; residual blocks on U-Net levels give more dB for each operation than a plain chain (DRUNet,
Zhang et al. 2021). A constant map carries noise level or JPEG quality, so one model serves a whole range.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from enhance_cli.arch.contract import ArchSpec, Condition

MOST_FEATS = 4
"""Times `n_feats` that the coarsest levels have; wider ones would hold most of the weights for little."""


class UNet(nn.Module):
    """x: (N, n_colours, H, W) in [0, 1] -> shape of x; condition: (N, 1, 1, 1).

    H and W must be multiples of 2 ** (n_levels + 1): the picture is unshuffled once and halved `n_levels`
    times. Features double with each halving, up to MOST_FEATS times `n_feats`.
    """

    def __init__(
        self,
        *,
        n_colours: int = 3,
        n_feats: int = 32,
        n_blocks: int = 2,
        n_levels: int = 2,
        condition: Condition | None = None,
    ) -> None:
        super().__init__()
        self.n_maps = 1 if condition else 0
        self.n_levels = n_levels
        self.head = nn.Conv2d(4 * n_colours + self.n_maps, n_feats, 3, padding=1)
        widths = [n_feats * min(2**level, MOST_FEATS) for level in range(n_levels + 1)]
        for level, (wide, wider) in enumerate(pairwise(widths), start=1):
            self.add_module(f"enc{level}", _level(wide, n_blocks))
            self.add_module(f"down{level}", nn.Conv2d(wide, wider, 2, stride=2))
            self.add_module(f"up{level}", nn.ConvTranspose2d(wider, wide, 2, stride=2))
            self.add_module(f"dec{level}", _level(wide, n_blocks))
        self.bottom = _level(widths[-1], n_blocks)
        self.tail = nn.Conv2d(n_feats, 4 * n_colours, 3, padding=1)
        # Training starts (nearly) at the plain copy.
        for parameter in self.tail.parameters():
            nn.init.trunc_normal_(parameter, std=1e-3)

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """Restore x; `condition` is sigma / 255 or quality / 100 where the network was built for one."""
        y = F.pixel_unshuffle(x, 2)
        if condition is not None:
            y = torch.cat([y, condition.to(y.dtype).expand(-1, self.n_maps, *y.shape[2:])], 1)
        y = first = self.head(y)
        skips = []
        for level in range(1, self.n_levels + 1):
            skips.append(self.get_submodule(f"enc{level}")(y))
            y = self.get_submodule(f"down{level}")(skips[-1])
        y = self.bottom(y)
        for level in range(self.n_levels, 0, -1):
            y = self.get_submodule(f"dec{level}")(self.get_submodule(f"up{level}")(y) + skips[level - 1])
        return x + F.pixel_shuffle(self.tail(y + first), 2)


class Block(nn.Module):
    """Residual block: conv, ReLU, conv, plus the input."""

    def __init__(self, n_feats: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(n_feats, n_feats, 3, padding=1)
        self.conv2 = nn.Conv2d(n_feats, n_feats, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """x: (N, n_feats, H, W), same shape out."""
        return x + self.conv2(F.relu(self.conv1(x)))


def _level(n_feats: int, n_blocks: int) -> nn.Sequential:
    return nn.Sequential(*(Block(n_feats) for _ in range(n_blocks)))


def spec(
    *,
    n_colours: int = 3,
    n_feats: int = 32,
    n_blocks: int = 2,
    n_levels: int = 2,
    condition: Condition | None = None,
) -> ArchSpec:
    """How `UNet` with these parameters wants to be fed."""
    convs, coarsest = 2 * n_blocks, 2 ** (n_levels + 1)
    # A 3x3 convolution at 1/2, 1/4, 1/8 size sees 2, 4, 8 pixels further; head, tail, both sides of the
    # upper levels, and one cell of the coarsest grid because pixels of a cell share their view.
    reach = 2 * 2 + sum(2 * convs * 2**level for level in range(1, n_levels + 1)) + convs * coarsest
    return ArchSpec(
        colour="rgb" if n_colours == 3 else "gray",
        multiple=coarsest,
        minimum=coarsest,
        # Worth 0.02 dB (gray) to 0.1 dB (colour) on small pictures, and it keeps flat borders flat.
        margin=coarsest,
        halo=reach + coarsest,
        condition=condition,
    )
