"""Building blocks that more than one network uses."""

from __future__ import annotations

from torch import nn


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
