"""The adversary of SRGAN (Ledig et al., CVPR 2017): a network that learns to tell results from pictures."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F

WIDTHS = (64, 128, 256, 512)
"""Channels after each halving of the sides."""
SLOPE = 0.2
N_DENSE = 1024


class Discriminator(nn.Module):
    """Figure 4: (N, n_colours, side, side) in [0, 1] -> (N, 1), the log odds of being a true picture.

    Its dense layer is made for one side, that of the enlarged patches.
    """

    def __init__(self, *, n_colours: int, side: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(n_colours, WIDTHS[0], 3, padding=1), nn.LeakyReLU(SLOPE)]
        layers += _block(WIDTHS[0], WIDTHS[0], stride=2)
        for narrow, wide in pairwise(WIDTHS):
            layers += [*_block(narrow, wide, stride=1), *_block(wide, wide, stride=2)]
        small = -(-side // 2 ** len(WIDTHS))
        layers += [nn.Flatten(), nn.Linear(WIDTHS[-1] * small**2, N_DENSE), nn.LeakyReLU(SLOPE)]
        self.layers = nn.Sequential(*layers, nn.Linear(N_DENSE, 1))

    def forward(self, picture: Tensor) -> Tensor:
        """Judge pictures in [0, 1], which the first layer gets in [-1, 1]."""
        odds: Tensor = self.layers(2 * picture - 1)
        return odds


def _block(n_in: int, n_out: int, stride: int) -> tuple[nn.Module, ...]:
    # Batch norm has a bias of its own.
    conv = nn.Conv2d(n_in, n_out, 3, stride, padding=1, bias=False)
    return conv, nn.BatchNorm2d(n_out), nn.LeakyReLU(SLOPE)


def deception(discriminator: Discriminator, ours: Tensor) -> Tensor:
    """How surely our results are told apart, -log D (equation 6), in the mean; for training who made them."""
    discriminator.requires_grad_(False)
    loss = F.softplus(-discriminator(ours).float()).mean()
    discriminator.requires_grad_(True)
    return loss


def detection(discriminator: Discriminator, ours: Tensor, true: Tensor) -> Tensor:
    """Binary cross-entropy of both kinds (equation 2); for training the discriminator.

    Each kind goes by itself, so that batch norm cannot tell them by their share in a batch.
    """
    odds_ours, odds_true = discriminator(ours).float(), discriminator(true).float()
    return F.softplus(odds_ours).mean() + F.softplus(-odds_true).mean()


def contest(discriminator: Discriminator, ours: Tensor, true: Tensor, weight: float) -> Tensor:
    """The losses of both sides, each of which reaches the weights of its own side alone.

    `weight`: of the network's, in proportion to the discriminator's.
    """
    return weight * deception(discriminator, ours) + detection(discriminator, ours.detach(), true)
