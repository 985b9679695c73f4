"""Building blocks that more than one network uses."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

RGB_MEAN = (0.4488, 0.4371, 0.4040)
"""Mean of the DIV2K training pictures, for values in 0..1."""
STAGES = {2: (2,), 3: (3,), 4: (2, 2), 8: (2, 2, 2)}
"""Enlargements by sub-pixel shuffle that make up each scale."""
GPU_SCORES = 1 << 26
"""Scores of pairs of places that attention holds at once on a GPU, where many small steps take longer."""


def conv_chain(
    n_in: int, n_feats: int, n_out: int, n_layers: int, *, batch_norm: bool = False
) -> nn.Sequential:
    """n_layers 3x3 convolutions with ReLU between them, from n_in to n_feats to n_out channels.

    With `batch_norm` all but the first and the last convolution are normalised; indices then advance by
    three for each layer and by two without, as in the published DnCNN and FFDNet files.
    """
    layers: list[nn.Module] = [nn.Conv2d(n_in, n_feats, 3, padding=1), nn.ReLU()]
    for _ in range(n_layers - 2):
        layers.append(nn.Conv2d(n_feats, n_feats, 3, padding=1))
        if batch_norm:
            layers.append(nn.BatchNorm2d(n_feats, eps=1e-4))
        layers.append(nn.ReLU())
    return nn.Sequential(*layers, nn.Conv2d(n_feats, n_out, 3, padding=1))


def conv(n_in: int, n_out: int, size: int = 3) -> nn.Conv2d:
    """A convolution that keeps height and width."""
    return nn.Conv2d(n_in, n_out, size, padding=size // 2)


class ResBlock(nn.Module):
    """EDSR's residual block (Lim et al. 2017, figure 2c): conv, ReLU, conv, scaled, plus the input."""

    def __init__(self, n_feats: int, res_scale: float = 1.0, size: int = 3) -> None:
        super().__init__()
        self.res_scale = res_scale
        self.body = nn.Sequential(conv(n_feats, n_feats, size), nn.ReLU(), conv(n_feats, n_feats, size))

    def forward(self, x: Tensor) -> Tensor:
        """x: (N, n_feats, H, W), same shape out."""
        return x + self.res_scale * self.body(x)


def channel_gate(n_feats: int, reduction: int) -> nn.Sequential:
    """Weights in 0..1 for channels, (N, n_feats, 1, 1) -> same: narrowed, ReLU, widened, sigmoid.

    ValueError unless reduction is in 1..n_feats.
    """
    if not 1 <= reduction <= n_feats:
        raise ValueError(f"reduction must be 1 to {n_feats} for {n_feats} features, not {reduction}")
    narrow = n_feats // reduction
    return nn.Sequential(conv(n_feats, narrow, 1), nn.ReLU(), conv(narrow, n_feats, 1), nn.Sigmoid())


def most_scores(device: torch.device, elsewhere: int) -> int:
    """Scores to hold at once on that device: GPU_SCORES on a GPU, and `elsewhere` where caches are small."""
    return GPU_SCORES if device.type in ("cuda", "mps") else elsewhere


class MeanShift(nn.Conv2d):
    """Adds sign times the mean colour of values in 0..value_range, as a 1x1 convolution.

    A module with stored tensors and no constant: published files carry their own, sometimes trained, values.
    """

    def __init__(self, sign: int, value_range: float = 255.0) -> None:
        super().__init__(3, 3, 1)
        nominal = {
            "weight": torch.eye(3).view(3, 3, 1, 1),
            "bias": sign * value_range * torch.tensor(RGB_MEAN),
        }
        self.load_state_dict(nominal)
        self.requires_grad_(False)


def upsampler(scale: int, n_feats: int, activation: Callable[[], nn.Module] | None = None) -> nn.Sequential:
    """Sub-pixel enlargement (Shi et al. 2016) in stages; ValueError unless scale is 2, 3, 4 or 8.

    Stages are two layers each, or three with an activation at their end.
    """
    if scale not in STAGES:
        raise ValueError(f"scale must be one of {', '.join(map(str, STAGES))}, not {scale}")
    layers: list[nn.Module] = []
    for factor in STAGES[scale]:
        layers += [conv(n_feats, n_feats * factor**2), nn.PixelShuffle(factor)]
        if activation:
            layers.append(activation())
    return nn.Sequential(*layers)
