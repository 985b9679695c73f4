"""AIM: attentive inception module network (DICTA 2020), for super-resolution and JPEG artefacts of luma.

The paper has no public code. What it leaves open, and what is chosen here:

* Dilation. The paper speaks of dilation 0, 1, 2, 4 and means zeros put between the taps; in the usual
  counting those would be rates 1, 2, 3, 5, which is what the branches use. Weights do not depend on it.
* Long-skip attention. "The earliest attention vector strengthens later ones": the first module's vector
  is added to that of every later module before the sigmoid.
* Head and tail are two convolutions each with a ReLU between them, without batch norm, because they
  carry the picture itself; every convolution inside a module is normalised.
* Plain bottleneck. The paper says of its Arch1 that it is a feed-forward bottleneck of the same depth that
  expands the features and compresses them again, with nearly as many parameters as Arch2. Here a module
  then is three plain convolutions in a row, as many as lie one behind the other in an inception module, with
  half as many features again in between; head, tail and short skips stay.

With these the ablation without attention has 1.27 M parameters (paper's Arch2: nearly 1.3 M), the plain one
1.24 M (Arch1: nearly 1.3 M) and the final model 1.56 M (Arch3: nearly 1.6 M).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from enhance_cli.arch.contract import ArchSpec

DILATIONS = (1, 2, 3, 5)


class AIM(nn.Module):
    """x: (N, 1, H, W) luma in [0, 1], enlarged to the output size -> same shape, not clipped.

    n_feats must be a multiple of 4. The paper's ablations: `attention=False` is Arch2, and with
    `inception=False` too it is Arch1; there is no attention without branches to weigh (ValueError).
    """

    def __init__(
        self, *, n_modules: int = 6, n_feats: int = 64, attention: bool = True, inception: bool = True
    ) -> None:
        super().__init__()
        if attention and not inception:
            raise ValueError("attention weighs inception branches: inception=False wants attention=False")
        self.head = nn.Sequential(
            nn.Conv2d(1, n_feats, 3, padding=1), nn.ReLU(), nn.Conv2d(n_feats, n_feats, 3, padding=1)
        )
        self.body = nn.ModuleList(
            InceptionModule(n_feats, attention) if inception else PlainModule(n_feats)
            for _ in range(n_modules)
        )
        self.tail = nn.Sequential(
            nn.Conv2d(n_feats, n_feats, 3, padding=1), nn.ReLU(), nn.Conv2d(n_feats, 1, 3, padding=1)
        )
        # Training starts (nearly) at the identity.
        for parameter in self.tail[2].parameters():
            nn.init.trunc_normal_(parameter, std=1e-3)

    def forward(self, x: Tensor) -> Tensor:
        """Restore x: the input plus the predicted residual."""
        y = self.head(x)
        earliest: Tensor | None = None
        for module in self.body:
            y, vector = module(y, earliest)
            earliest = vector if earliest is None else earliest
        return x + self.tail(y)


class InceptionModule(nn.Module):
    """Four dilated branches, joined to 2D channels, reduced to D, weighted per channel, plus the input."""

    def __init__(self, n_feats: int, attention: bool) -> None:
        super().__init__()
        widths = (n_feats, n_feats // 2, n_feats // 4, n_feats // 4)
        self.branches = nn.ModuleList(
            Branch(n_feats, n_out, dilation) for n_out, dilation in zip(widths, DILATIONS, strict=True)
        )
        self.reduce = _normed(2 * n_feats, n_feats)
        self.attention = ChannelAttention(n_feats) if attention else None

    def forward(self, x: Tensor, earliest: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """x: (N, D, H, W), earliest: (N, D) of the first module -> same shape as x, and own vector (N, D)."""
        joined = F.relu(torch.cat([branch(x) for branch in self.branches], 1))
        y = self.reduce(joined)
        if self.attention is None:
            return x + y, None
        vector = self.attention(joined)
        logits = vector if earliest is None else vector + earliest
        return x + torch.sigmoid(logits)[:, :, None, None] * y, vector


class PlainModule(nn.Module):
    """What Arch1 has in place of an inception module: D to 3/2 D, the same, back to D, plus the input."""

    def __init__(self, n_feats: int) -> None:
        super().__init__()
        wide = n_feats + n_feats // 2
        self.layers = nn.Sequential(
            _normed(n_feats, wide), nn.ReLU(), _normed(wide, wide), nn.ReLU(), _normed(wide, n_feats)
        )

    def forward(self, x: Tensor, earliest: Tensor | None) -> tuple[Tensor, None]:
        """x: (N, D, H, W) -> same shape, and no attention vector."""
        return x + self.layers(x), None


class Branch(nn.Sequential):
    """A dilated and a plain 3x3 convolution, each with batch norm; no activation before the joint ReLU."""

    def __init__(self, n_in: int, n_out: int, dilation: int) -> None:
        super().__init__(_normed(n_in, n_out, dilation), _normed(n_out, n_out))


class ChannelAttention(nn.Module):
    """Global average pooling, then fully connected 2D -> 4D -> ReLU -> D; the sigmoid comes outside."""

    def __init__(self, n_feats: int) -> None:
        super().__init__()
        self.widen = nn.Linear(2 * n_feats, 4 * n_feats)
        self.narrow = nn.Linear(4 * n_feats, n_feats)

    def forward(self, x: Tensor) -> Tensor:
        """x: (N, 2D, H, W) -> (N, D)."""
        return self.narrow(F.relu(self.widen(x.mean((2, 3)))))


def _normed(n_in: int, n_out: int, dilation: int = 1) -> nn.Sequential:
    # Batch norm has its own shift, so the convolution needs none.
    conv = nn.Conv2d(n_in, n_out, 3, padding=dilation, dilation=dilation, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(n_out))


def spec(
    *, n_modules: int = 6, n_feats: int = 64, attention: bool = True, inception: bool = True
) -> ArchSpec:
    """How `AIM` with these parameters wants to be fed; halo in enlarged pixels."""
    # Of a module: the widest branch, its second convolution and the reducing one.
    widest = max(DILATIONS) if inception else 1
    # Head and tail are two convolutions each.
    halo = n_modules * (widest + 2) + 4
    # Channel attention averages over the whole map.
    return ArchSpec(colour="y", pre_upsampled=True, halo=halo, tiling="approximate" if attention else "exact")
