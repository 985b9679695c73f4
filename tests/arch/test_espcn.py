import pytest
import torch

from enhance_cli.arch.espcn import ESPCN, spec


def test_keys_are_those_of_the_public_layout():
    shapes = {key: tuple(tensor.shape) for key, tensor in ESPCN(scale=3).state_dict().items()}
    assert shapes == {
        "first_part.0.weight": (64, 1, 5, 5),
        "first_part.0.bias": (64,),
        "first_part.2.weight": (32, 64, 3, 3),
        "first_part.2.bias": (32,),
        "last_part.0.weight": (9, 32, 3, 3),
        "last_part.0.bias": (9,),
    }


@pytest.mark.parametrize("scale", [2, 3, 4])
@torch.no_grad()
def test_channels_become_the_pixels_of_a_cell_row_by_row(scale):
    net = ESPCN(scale=scale)
    net.last_part[0].weight.zero_()
    cell = torch.arange(scale**2, dtype=torch.float32)
    net.last_part[0].bias.copy_(cell)
    y = net(torch.rand(1, 1, 2, 3))
    torch.testing.assert_close(y[0, 0], cell.view(scale, scale).repeat(2, 3))


@torch.no_grad()
def test_features_go_through_tanh_twice():
    net = ESPCN(scale=1, n_feats=(1, 1))
    for parameter in net.parameters():
        parameter.zero_()
    for layer in (net.first_part[0], net.first_part[2], net.last_part[0]):
        centre = layer.kernel_size[0] // 2
        layer.weight[0, 0, centre, centre] = 2.0
    x = torch.rand(1, 1, 4, 5) - 0.5
    torch.testing.assert_close(net(x), 2 * torch.tanh(2 * torch.tanh(2 * x)))


def test_spec_asks_for_small_luma():
    assert spec(scale=3).colour == "y"
    assert spec(scale=3).scale == 3
    assert not spec(scale=3).pre_upsampled
    assert spec(scale=2, n_colours=3).colour == "rgb"
