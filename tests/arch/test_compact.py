import pytest
import torch
from torch.nn import functional as F

from enhance_cli.arch.compact import Block, Compact, spec


@pytest.mark.parametrize("scale", [2, 3, 4])
@torch.no_grad()
def test_training_starts_near_plain_enlarging(scale):
    x = torch.rand(2, 3, 7, 5)
    enlarged = F.interpolate(x, scale_factor=float(scale), mode="nearest")
    assert (Compact(scale=scale, n_feats=8, n_blocks=2)(x) - enlarged).abs().max() < 0.05


@torch.no_grad()
def test_fresh_blocks_are_the_identity():
    x = torch.randn(1, 4, 5, 6)
    assert torch.equal(Block(4)(x), x)


def test_gradients_reach_every_parameter():
    net = Compact(scale=2, n_feats=4, n_blocks=2)
    for block in net.body:
        block.conv2.reset_parameters()
    net(torch.rand(1, 3, 6, 6)).square().sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in net.parameters())


def test_one_colour_is_luma():
    assert (spec(scale=2).colour, spec(scale=2, n_colours=1).colour) == ("rgb", "y")
