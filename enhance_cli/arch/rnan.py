"""RNAN: residual non-local attention networks for image restoration (Zhang et al., ICLR 2019).

Section 3: attention blocks in a row, the first and the last of them non-local, and no skips around them
but the global one. State-dict keys are those of the authors' code. Two things of that code differ from
the paper's text, and published weights need them so:

* Equation 8's softmax runs over the queries and not over the keys, so that each key gives away a whole.
* The identity in a block is the output of its first residual block and not the block's input (equation 3).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from enhance_cli.arch.blocks import MeanShift, ResBlock, conv, most_scores, upsampler
from enhance_cli.arch.contract import ArchSpec

MOST_SCORES = 1 << 18
"""Scores of pairs of pixels that are held at once: 1 MiB, which caches hold, too."""


class RNAN(nn.Module):
    """x: (N, n_colours, H, W) in 0..255, H and W even -> (N, n_colours, scale H, scale W), not clipped.

    scale 1 is for noise, JPEG artefacts and mosaics, where what is added to x is predicted; 2, 3, 4 or 8 is
    for super-resolution of three colours. Else ValueError. n_groups counts the two non-local blocks.
    """

    def __init__(self, *, scale: int = 1, n_colours: int = 3, n_groups: int = 10, n_feats: int = 64) -> None:
        super().__init__()
        if scale > 1 and n_colours != 3:
            raise ValueError(f"super-resolution wants n_colours=3, not {n_colours}")
        if n_groups < 2:
            raise ValueError(f"n_groups must be 2 or more, not {n_groups}")
        self.scale = scale
        self.head = nn.Sequential(conv(n_colours, n_feats))
        self.body_nl_low = nn.Sequential(Group(n_feats, non_local=True))
        local = (Group(n_feats, non_local=False) for _ in range(n_groups - 2))
        self.body = nn.Sequential(*local, conv(n_feats, n_feats))
        self.body_nl_high = nn.Sequential(Group(n_feats, non_local=True))
        if scale == 1:
            self.tail = nn.Sequential(conv(n_feats, n_colours))
        else:
            self.sub_mean = MeanShift(-1)
            self.add_mean = MeanShift(1)
            self.tail = nn.Sequential(upsampler(scale, n_feats), conv(n_feats, n_colours))

    def forward(self, x: Tensor) -> Tensor:
        """Restore x, or enlarge it by the network's scale."""
        if self.scale == 1:
            return x + self.tail(self._features(self.head(x)))
        y = self.head(self.sub_mean(x))
        return self.add_mean(self.tail(y + self._features(y)))

    def _features(self, x: Tensor) -> Tensor:
        return self.body_nl_high(self.body(self.body_nl_low(x)))


class Group(nn.Module):
    """An attention block and a convolution."""

    def __init__(self, n_feats: int, *, non_local: bool) -> None:
        super().__init__()
        self.body = nn.Sequential(AttentionBlock(n_feats, non_local=non_local), conv(n_feats, n_feats))

    def forward(self, x: Tensor) -> Tensor:
        """x: (N, n_feats, H, W), H and W even, same shape out."""
        return self.body(x)


class AttentionBlock(nn.Module):
    """Residual (non-)local attention block, section 3.2: trunk times mask, plus their input."""

    def __init__(self, n_feats: int, *, non_local: bool) -> None:
        super().__init__()
        self.RA_RB1 = nn.Sequential(ResBlock(n_feats))
        self.RA_TB = nn.Sequential(Trunk(n_feats))
        self.RA_MB = nn.Sequential(Mask(n_feats, non_local=non_local))
        self.RA_tail = nn.Sequential(ResBlock(n_feats), ResBlock(n_feats))

    def forward(self, x: Tensor) -> Tensor:
        """x: (N, n_feats, H, W), H and W even, same shape out."""
        x = self.RA_RB1(x)
        return self.RA_tail(x + self.RA_TB(x) * self.RA_MB(x))


class Trunk(nn.Module):
    """Trunk branch: residual blocks."""

    def __init__(self, n_feats: int) -> None:
        super().__init__()
        self.body = nn.Sequential(ResBlock(n_feats), ResBlock(n_feats))

    def forward(self, x: Tensor) -> Tensor:
        """x: (N, n_feats, H, W), same shape out."""
        return self.body(x)


class Mask(nn.Module):
    """Mask branch: a weight in 0..1 for every feature, from a wider view at half size."""

    def __init__(self, n_feats: int, *, non_local: bool) -> None:
        super().__init__()
        first = [NonLocal(n_feats)] if non_local else []
        self.MB_RB1 = nn.Sequential(*first, ResBlock(n_feats))
        self.MB_Down = nn.Sequential(nn.Conv2d(n_feats, n_feats, 3, stride=2, padding=1))
        self.MB_RB2 = nn.Sequential(ResBlock(n_feats), ResBlock(n_feats))
        self.MB_Up = nn.Sequential(nn.ConvTranspose2d(n_feats, n_feats, 6, stride=2, padding=2))
        self.MB_RB3 = nn.Sequential(ResBlock(n_feats))
        self.MB_1x1conv = nn.Sequential(conv(n_feats, n_feats, 1))

    def forward(self, x: Tensor) -> Tensor:
        """x: (N, n_feats, H, W), H and W even, same shape out."""
        x = self.MB_RB1(x)
        x = x + self.MB_Up(self.MB_RB2(self.MB_Down(x)))
        return torch.sigmoid(self.MB_1x1conv(self.MB_RB3(x)))


class NonLocal(nn.Module):
    """Non-local block, equations 7 and 8: what all pixels send to each, plus the input.

    The bias of theta shifts all scores of a key alike and cancels in the softmax.
    """

    def __init__(self, n_feats: int) -> None:
        super().__init__()
        self.theta, self.phi, self.g = (conv(n_feats, n_feats // 2, 1) for _ in range(3))
        self.W = conv(n_feats // 2, n_feats, 1)

    def forward(self, x: Tensor) -> Tensor:
        """x: (N, n_feats, H, W), same shape out."""
        # In float32, see `spec`; in bfloat16 these products take minutes, too, where channels lie last.
        with torch.autocast(x.device.type, enabled=False):
            x = x.to(self.W.weight.dtype)
            queries, keys, values = (embed(x).flatten(2) for embed in (self.theta, self.phi, self.g))
            # A key's softmax needs all queries but no other key: parts of the keys can be added up.
            n_keys = max(1, most_scores(x.device, MOST_SCORES) // (queries.shape[0] * queries.shape[2]))
            gathered = torch.zeros_like(values)
            for key, value in zip(keys.split(n_keys, 2), values.split(n_keys, 2), strict=True):
                weights = torch.softmax(key.transpose(1, 2) @ queries, 2)
                gathered.baddbmm_(value, weights.to(value.dtype))
            return x + self.W(gathered.unflatten(2, x.shape[2:]))


def spec(*, scale: int = 1, n_colours: int = 3, n_groups: int = 10, n_feats: int = 64) -> ArchSpec:
    """How `RNAN` with these parameters wants to be fed."""
    return ArchSpec(
        colour="rgb" if n_colours == 3 else "gray",
        scale=scale,
        value_range=255.0,
        multiple=2,
        # Attention sees all of a tile, convolutions alone some 230 pixels in ten groups; the authors'
        # pieces overlap by about 12, and what is farther away changes little.
        halo=16,
        tiling="approximate",
        # With the halo about the authors' largest pieces: 10000 pixels, or 30000 for super-resolution.
        tile=96 if scale == 1 else 144,
        # Scores are products of 0..255 features that nothing scales down: float16 overflows, and bfloat16
        # rounds them to whole numbers before the exponential.
        half=(),
    )
