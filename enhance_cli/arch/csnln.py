"""CSNLN: super-resolution with cross-scale non-local attention and exhaustive self-exemplars mining
(Mei et al., CVPR 2020).

Section 3.3: one self-exemplars mining cell, applied again and again to its own result; the enlarged
features of all rounds together give the picture. State-dict keys are those of the authors' code.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from enhance_cli.arch.blocks import MeanShift, conv, most_scores
from enhance_cli.arch.contract import ArchSpec

MOST_SCORES = 1 << 21
"""Scores of pairs of places that are held at once, few enough for caches; one row of places must fit,
whatever it takes."""
SHARPNESS = 10.0
"""Factor of the normalised matches before the softmax."""
KERNELS = {2: (6, 2), 3: (9, 3), 4: (8, 2)}
"""Size and padding of (transposed) convolutions that change the size, by factor."""
OVERLAP = 6 / 9
"""What pasted patches are divided by, as a share of those that lie on each other inside: nine of 3x3, but the
authors' code has six."""


class CSNLN(nn.Module):
    """x: (N, 3, H, W) RGB in 0..1 -> (N, 3, scale H, scale W), not clipped.

    scale is 2, 3 or 4, and patch, the side p of the patches that cross-scale attention compares, is odd, else
    ValueError; H and W must be multiples of 2, and of 3 for scale 3.
    """

    def __init__(self, *, scale: int, n_feats: int = 128, depth: int = 12, patch: int = 3) -> None:
        super().__init__()
        if scale not in (2, 3, 4):
            raise ValueError(f"scale must be 2, 3 or 4, not {scale}")
        if patch < 1 or patch % 2 == 0:
            raise ValueError(f"patch must be odd, not {patch}")
        self.depth = depth
        self.sub_mean = MeanShift(-1, 1.0)
        self.add_mean = MeanShift(1, 1.0)
        self.head = nn.Sequential(_active(conv(3, n_feats)), _active(conv(n_feats, n_feats)))
        self.SEM = MiningCell(n_feats, scale, patch)
        self.tail = nn.Sequential(conv(depth * n_feats, 3))

    def forward(self, x: Tensor) -> Tensor:
        """Enlarge x by the network's scale."""
        x = self.head(self.sub_mean(x))
        # A convolution of maps side by side is the sum of one for each: so they are not all held at once.
        last = cast(nn.Conv2d, self.tail[0])
        y: Tensor | None = None
        for weight in last.weight.chunk(self.depth, 1):
            # A round's scores take a gigabyte for a patch of 48x48: in training they are worked out anew.
            x, enlarged = checkpoint(self.SEM, x, use_reentrant=False) if self.training else self.SEM(x)
            part = F.conv2d(enlarged, weight, last.bias if y is None else None, padding=1)
            y = part if y is None else y + part
        return self.add_mean(y)


class MiningCell(nn.Module):
    """Self-exemplars mining cell: multi-source projection and the local branch's back-projection.

    Scale 4 does it twice by 2, and then projects back over the whole way.
    """

    def __init__(self, n_feats: int, scale: int, patch: int) -> None:
        super().__init__()
        factor = 2 if scale == 4 else scale
        self.multi_source_projection = MultiSourceProjection(n_feats, factor, patch)
        self.down_sample_1 = _shrink(n_feats, factor)
        self.error_encode = _enlarge(n_feats, factor)
        if scale == 4:
            self.multi_source_projection_2 = MultiSourceProjection(n_feats, factor, patch)
            self.down_sample_3 = _shrink(n_feats, scale)
            self.error_encode_2 = _enlarge(n_feats, scale)
            self.down_sample_4 = _shrink(n_feats, scale)
        else:
            self.down_sample_2 = _shrink(n_feats, scale)
        self.post_conv = _active(conv(n_feats, n_feats))
        self.scale = scale

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x: (N, C, H, W) -> the same for the next round, and enlarged (N, C, scale H, scale W)."""
        y = self.multi_source_projection(x)
        y = y + self.error_encode(x - self.down_sample_1(y))
        if self.scale != 4:
            return self.post_conv(self.down_sample_2(y)), y
        y = self.multi_source_projection_2(y)
        y = y + self.error_encode_2(x - self.down_sample_3(y))
        return self.post_conv(self.down_sample_4(y)), y


class MultiSourceProjection(nn.Module):
    """Mutual-projected fusion, section 3.3: in-scale features, corrected by where cross-scale ones differ."""

    def __init__(self, n_feats: int, factor: int, patch: int) -> None:
        super().__init__()
        self.up_attention = CrossScaleAttention(n_feats, factor, patch)
        self.down_attention = InScaleAttention(n_feats)
        self.upsample = _enlarge(n_feats, factor)
        self.encoder = Encoder(n_feats)

    def forward(self, x: Tensor) -> Tensor:
        """x: (N, n_feats, H, W) -> (N, n_feats, factor H, factor W)."""
        in_scale = self.upsample(self.down_attention(x))
        return in_scale + self.encoder(self.up_attention(x) - in_scale)


class Encoder(nn.Module):
    """Conv, PReLU, conv, plus the input."""

    def __init__(self, n_feats: int) -> None:
        super().__init__()
        self.body = nn.Sequential(conv(n_feats, n_feats), nn.PReLU(), conv(n_feats, n_feats))

    def forward(self, x: Tensor) -> Tensor:
        """x: (N, n_feats, H, W), same shape out."""
        return x + self.body(x)


class InScaleAttention(nn.Module):
    """In-scale non-local attention, equation 1: a softmax over all pixels, neither scaled nor residual."""

    def __init__(self, n_feats: int) -> None:
        super().__init__()
        self.conv_match1 = _active(conv(n_feats, n_feats // 2, 1))
        self.conv_match2 = _active(conv(n_feats, n_feats // 2, 1))
        self.conv_assembly = _active(conv(n_feats, n_feats, 1))

    def forward(self, x: Tensor) -> Tensor:
        """x: (N, n_feats, H, W), same shape out."""
        queries = self.conv_match1(x).flatten(2).transpose(1, 2)
        keys = self.conv_match2(x).flatten(2)
        values = self.conv_assembly(x).flatten(2).transpose(1, 2)
        n_queries = max(1, most_scores(x.device, MOST_SCORES) // (keys.shape[0] * keys.shape[2]))
        parts = [torch.softmax(some @ keys, 2) @ values for some in queries.split(n_queries, 1)]
        return torch.cat(parts, 1).transpose(1, 2).unflatten(2, x.shape[2:])


class CrossScaleAttention(nn.Module):
    """Cross-scale non-local attention, section 3.1: p x p patches of x find patches of x made smaller by s,
    and those places of x itself, ps x ps pixels, are pasted in their stead. Published weights have p = 3.

    Neighbouring patches share most places, and what two patches have in common is the sum of what their
    places have in common. So places are compared once each and `_over_patches` sums them up; and as a patch
    is pasted as p x p places of s x s pixels, weights of patches become weights of places likewise.
    For p = 3 that is a ninth of the work and memory of convolutions with patches as kernels, and the same
    function.
    """

    escape_NaN: Tensor

    def __init__(self, n_feats: int, factor: int, patch: int = 3) -> None:
        super().__init__()
        self.factor, self.patch = factor, patch
        self.conv_match_1 = _active(conv(n_feats, n_feats // 2, 1))
        self.conv_match_2 = _active(conv(n_feats, n_feats // 2, 1))
        self.conv_assembly = _active(conv(n_feats, n_feats, 1))
        self.register_buffer("escape_NaN", torch.tensor([1e-4]))

    def forward(self, x: Tensor) -> Tensor:
        """x: (N, C, H, W), H and W multiples of the factor -> (N, C, factor H, factor W)."""
        height, width = x.shape[2:]
        small = F.interpolate(x, (height // self.factor, width // self.factor), mode="bilinear")
        queries, keys = self.conv_match_1(x), self.conv_match_2(small)
        reach = self.patch // 2
        squares = F.avg_pool2d(keys.square().sum(1, keepdim=True), self.patch, 1, reach, divisor_override=1)
        sharpness = SHARPNESS / torch.maximum(squares.sqrt(), self.escape_NaN).flatten(1)
        values = F.pixel_unshuffle(self.conv_assembly(x), self.factor).flatten(2).transpose(1, 2)
        bands = []
        row = width * keys.shape[0] * keys.shape[2] * keys.shape[3]
        n_rows = max(1, most_scores(x.device, MOST_SCORES) // row - 4 * reach)
        for top in range(0, height, n_rows):
            # Weights of places need patches as far as they reach, and those their places as far again.
            outer = slice(max(0, top - 2 * reach), top + n_rows + 2 * reach)
            common = torch.einsum("nchw,ncij->nhwij", queries[:, :, outer], keys)
            scores = _over_patches(common, reach).flatten(3) * sharpness[:, None, None]
            weights = _over_patches(torch.softmax(scores, 3).view_as(common), reach)
            weights = weights[:, top - outer.start :][:, :n_rows].flatten(3)
            bands.append(weights.flatten(1, 2) @ values)
        pasted = torch.cat(bands, 1).transpose(1, 2).unflatten(2, (height, width))
        return F.pixel_shuffle(pasted, self.factor) / (OVERLAP * self.patch**2)


def _over_patches(x: Tensor, reach: int) -> Tensor:
    """Sum over places up to `reach` to each side that move together in (N, H, W, ...) and in (..., h, w).

    Zero outside of either.

    x: (N, H, W, h, w), same shape out.
    """
    for a, b in ((1, 3), (2, 4)):
        total = x.clone()
        for d in range(1, min(reach + 1, x.shape[a], x.shape[b])):
            n, m = x.shape[a] - d, x.shape[b] - d
            total.narrow(a, 0, n).narrow(b, 0, m).add_(x.narrow(a, d, n).narrow(b, d, m))
            total.narrow(a, d, n).narrow(b, d, m).add_(x.narrow(a, 0, n).narrow(b, 0, m))
        x = total
    return x


def _active(layer: nn.Module) -> nn.Sequential:
    """The layer, and PReLU with one slope for all channels."""
    return nn.Sequential(layer, nn.PReLU())


def _shrink(n_feats: int, factor: int) -> nn.Sequential:
    """Strided convolution to 1/factor of the size; sees a pixel (of the small map) to each side."""
    size, padding = KERNELS[factor]
    return _active(nn.Conv2d(n_feats, n_feats, size, stride=factor, padding=padding))


def _enlarge(n_feats: int, factor: int) -> nn.Sequential:
    """Transposed convolution to factor times the size."""
    size, padding = KERNELS[factor]
    return _active(nn.ConvTranspose2d(n_feats, n_feats, size, stride=factor, padding=padding))


def spec(*, scale: int, n_feats: int = 128, depth: int = 12, patch: int = 3) -> ArchSpec:
    """How `CSNLN` with these parameters wants to be fed."""
    return ArchSpec(
        colour="rgb",
        scale=scale,
        multiple=3 if scale == 3 else 2,
        # Attention sees all of a tile, convolutions alone some six pixels more in each round; the authors'
        # pieces overlap by about 10, and what is farther away changes little.
        halo=12,
        tiling="approximate",
        # The authors' largest pieces have 3600 pixels; time grows with the square of a tile's area.
        tile=60,
        # Scores are not scaled down before the exponential, and bfloat16 rounds large ones to whole numbers.
        half=(),
    )
