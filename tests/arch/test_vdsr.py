import pytest
import torch

from enhance_cli.arch.blocks import RGB_MEAN
from enhance_cli.arch.vdsr import VDSR, spec


@torch.no_grad()
def test_computes_what_edsr_pytorch_computes(case):
    reference = case("vdsr_edsrpytorch")
    net = VDSR(n_colours=3, n_feats=24, n_layers=6)
    net.load_state_dict(reference.weights)
    reference.check(net(reference.tensors["input"]))


def test_keys_are_those_of_edsr_pytorch(check_manifest):
    check_manifest("vdsr_edsrpytorch", lambda: VDSR(n_colours=3))


def test_luma_network_has_the_published_number_of_weights(count_parameters):
    biases = 19 * 64 + 1
    assert count_parameters(VDSR()) == 664_704 + biases


@pytest.mark.parametrize(("n_colours", "largest"), [(1, 1.0), (3, 255.0)])
@torch.no_grad()
def test_adds_what_the_chain_predicts_to_the_picture(n_colours, largest):
    net = VDSR(n_colours=n_colours, n_feats=4, n_layers=3)
    details = torch.linspace(0.1, 0.3, n_colours)
    net.body[-1][0].weight.zero_()
    net.body[-1][0].bias.copy_(details)
    x = largest * torch.rand(1, n_colours, 5, 6)
    torch.testing.assert_close(net(x), x + details.view(-1, 1, 1))


@torch.no_grad()
def test_mean_colour_is_zero_to_the_chain_and_so_are_the_borders():
    net = VDSR(n_colours=3, n_feats=4, n_layers=3)
    for layer in net.body:
        layer[0].bias.zero_()
    x = 255 * torch.tensor(RGB_MEAN).view(1, 3, 1, 1).expand(1, 3, 6, 7)
    torch.testing.assert_close(net(x), x)


def test_other_numbers_of_colours_are_refused():
    with pytest.raises(ValueError, match="not 2"):
        VDSR(n_colours=2)


def test_spec_tells_range_and_colour_of_both_networks():
    assert (spec().colour, spec().value_range, spec().halo) == ("y", 1, 20)
    colour = spec(n_colours=3)
    assert (colour.colour, colour.value_range, colour.halo) == ("rgb", 255, 20)
    assert spec().pre_upsampled
    assert colour.pre_upsampled
    assert "bfloat16" not in colour.half
