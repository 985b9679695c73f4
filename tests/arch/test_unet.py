import pytest
import torch

from enhance_cli.arch.unet import UNet, spec


@torch.no_grad()
def test_training_starts_near_the_identity():
    x = torch.rand(2, 3, 16, 8)
    assert (UNet(n_feats=8, n_blocks=1)(x) - x).abs().max() < 0.05


@pytest.mark.parametrize("condition", ["sigma", "quality"])
@torch.no_grad()
def test_condition_is_one_value_for_each_picture(condition):
    net = UNet(n_colours=1, n_feats=4, n_blocks=1, condition=condition)
    x = torch.rand(1, 1, 16, 16).expand(2, -1, -1, -1)
    low, high = net(x, torch.tensor([0.1, 0.9]).view(2, 1, 1, 1)).split(1)
    torch.testing.assert_close(low, net(x[:1], torch.full((1, 1, 1, 1), 0.1)))
    assert not torch.equal(low, high)


def test_gradients_reach_every_parameter():
    net = UNet(n_colours=1, n_feats=4, n_blocks=1)
    net(torch.rand(1, 1, 16, 16)).square().sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in net.parameters())


def test_spec_passes_the_condition_on():
    assert spec().condition is None
    assert spec(condition="quality").condition == "quality"
