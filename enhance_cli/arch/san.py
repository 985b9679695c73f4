"""SAN: second-order attention network (Dai et al., CVPR 2019).

Non-locally enhanced residual groups: a non-local block for each quarter of the map (RL-NL) before and after
groups that share one source (SSC), in each of which channels are weighed by second-order statistics (SOCA).
State-dict keys are the authors', without the parameters that their files hold and their forward never uses.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from enhance_cli.arch.blocks import MeanShift, channel_gate, conv, most_scores, upsampler
from enhance_cli.arch.contract import ArchSpec

N_STEPS = 5
"""Newton-Schulz iterations of the published networks."""
LARGEST = 1000
"""Side of the central part of a map over which the covariance is taken."""
SCORES = 2**20
"""Attention scores that are held at once: 4 MiB, which caches hold, too."""


class SAN(nn.Module):
    """x: (N, 3, H, W) RGB in 0..255, H and W at least 4 -> (N, 3, scale H, scale W), not clipped.

    scale is 2, 3, 4 or 8, else ValueError. The defaults are those of the published networks; n_feats is
    at least 8.
    """

    def __init__(
        self,
        *,
        scale: int,
        n_groups: int = 20,
        n_blocks: int = 10,
        n_feats: int = 64,
        reduction: int = 16,
    ) -> None:
        super().__init__()
        self.sub_mean = MeanShift(-1)
        self.add_mean = MeanShift(1)
        self.head = nn.Sequential(conv(3, n_feats))
        self.non_local = RegionNonLocal(n_feats)
        self.gamma = nn.Parameter(torch.zeros(1))
        self.RG = nn.ModuleList(Group(n_blocks, n_feats, reduction) for _ in range(n_groups))
        self.tail = nn.Sequential(upsampler(scale, n_feats), conv(n_feats, 3))

    def forward(self, x: Tensor) -> Tensor:
        """Enlarge x by the network's scale."""
        shallow = self.head(self.sub_mean(x))
        source = deep = self.non_local(shallow)
        for group in self.RG:
            deep = group(deep) + self.gamma * source
        # The same non-local block again; the long skip starts before it, unlike the shared source.
        return self.add_mean(self.tail(self.non_local(deep) + shallow))


class Group(nn.Module):
    """Local-source residual attention group (LSRAG): residual blocks, SOCA, conv, plus the input."""

    def __init__(self, n_blocks: int, n_feats: int, reduction: int) -> None:
        super().__init__()
        self.rcab = nn.Sequential(*(Block(n_feats) for _ in range(n_blocks)))
        self.soca = SecondOrderAttention(n_feats, reduction)
        self.conv_last = conv(n_feats, n_feats)

    def forward(self, x: Tensor) -> Tensor:
        """x: (N, n_feats, H, W), same shape out."""
        return x + self.conv_last(self.soca(self.rcab(x)))


class Block(nn.Module):
    """Residual block: conv, ReLU, conv, plus the input."""

    def __init__(self, n_feats: int) -> None:
        super().__init__()
        self.conv_first = nn.Sequential(conv(n_feats, n_feats), nn.ReLU(), conv(n_feats, n_feats))

    def forward(self, x: Tensor) -> Tensor:
        """x: (N, n_feats, H, W), same shape out."""
        return x + self.conv_first(x)


class SecondOrderAttention(nn.Module):
    """SOCA: every channel times a weight in 0..1, made from how all channels vary together."""

    def __init__(self, n_feats: int, reduction: int) -> None:
        super().__init__()
        self.conv_du = channel_gate(n_feats, reduction)

    def forward(self, x: Tensor) -> Tensor:
        """x: (N, n_feats, H, W), same shape out."""
        pooled = square_root(covariance(x)).mean(1)
        return x * self.conv_du(pooled[:, :, None, None])


def covariance(x: Tensor) -> Tensor:
    """(N, C, H, W) -> (N, C, C): of the channels over the central positions, divided by their number."""
    top, left = (max(0, (n - LARGEST) // 2) for n in x.shape[2:])
    x = x[:, :, top : top + LARGEST, left : left + LARGEST].flatten(2)
    x = x - x.mean(2, keepdim=True)
    return x @ x.mT / x.shape[2]


def square_root(matrix: Tensor) -> Tensor:
    """(N, C, C) positive semi-definite -> its root, near enough, by coupled Newton-Schulz iterations.

    Those converge for matrices of a norm below one, hence the division by the trace. Few as they are, small
    eigenvalues stay too small, and published weights count on it.
    """
    # Of a map without any variation the root is zero, too.
    trace = matrix.diagonal(dim1=1, dim2=2).sum(1)[:, None, None].clamp_min(torch.finfo(matrix.dtype).tiny)
    identity = torch.eye(matrix.shape[1], dtype=matrix.dtype, device=matrix.device)
    root, inverse = matrix / trace, identity
    for _ in range(N_STEPS):
        step = (3 * identity - inverse @ root) / 2
        root, inverse = root @ step, step @ inverse
    return root * trace.sqrt()


class RegionNonLocal(nn.Module):
    """RL-NL: one non-local block, applied to each quarter of the map by itself."""

    def __init__(self, n_feats: int) -> None:
        super().__init__()
        self.non_local = NonLocal(n_feats)

    def forward(self, x: Tensor) -> Tensor:
        """x: (N, n_feats, H, W), H and W at least 4, same shape out."""
        height, width = (n // 2 for n in x.shape[2:])
        rows = (row.tensor_split([width], 3) for row in x.tensor_split([height], 2))
        return torch.cat([torch.cat([self.non_local(part) for part in row], 3) for row in rows], 2)


class NonLocal(nn.Module):
    """Embedded Gaussian non-local block (Wang et al., CVPR 2018), plus the input.

    Keys and values are pooled 2x2. The paper does not say so, but all published weights were trained so.
    """

    def __init__(self, n_feats: int) -> None:
        super().__init__()
        n_inner = n_feats // 8
        self.theta = conv(n_feats, n_inner, 1)
        self.phi = nn.Sequential(conv(n_feats, n_inner, 1), nn.MaxPool2d(2))
        self.g = nn.Sequential(conv(n_feats, n_inner, 1), nn.MaxPool2d(2))
        self.W = conv(n_inner, n_feats, 1)

    def forward(self, x: Tensor) -> Tensor:
        """x: (N, n_feats, H, W), H and W at least 2, same shape out."""
        queries, keys, values = (f(x).flatten(2).mT for f in (self.theta, self.phi, self.g))
        # The softmax is over the keys, so any part of the queries can be done by itself.
        part = max(1, most_scores(x.device, SCORES) // (keys.shape[0] * keys.shape[1]))
        y = torch.cat([(q @ keys.mT).softmax(2) @ values for q in queries.split(part, 1)], 1)
        return x + self.W(y.mT.unflatten(2, x.shape[2:]))


def spec(
    *, scale: int, n_groups: int = 20, n_blocks: int = 10, n_feats: int = 64, reduction: int = 16
) -> ArchSpec:
    """How `SAN` with these parameters wants to be fed."""
    return ArchSpec(
        colour="rgb",
        scale=scale,
        value_range=255.0,
        minimum=4,
        # Attention and covariance see everything, so no halo makes tiles exact. The authors tested in tiles
        # of less than 400x400 pixels with 10 around each: larger ones are not what was measured.
        halo=20,
        tile=360,
        tiling="approximate",
        # Products of near-singular matrices; nothing less than float32 keeps them finite for sure.
        half=(),
    )
