import pytest
import torch

from enhance_cli.arch.fsrcnn import FSRCNN, spec


def test_keys_are_those_of_the_public_layout():
    shapes = {key: tuple(tensor.shape) for key, tensor in FSRCNN(scale=2, n_mappings=1).state_dict().items()}
    assert shapes == {
        "first_part.0.weight": (56, 1, 5, 5),
        "first_part.0.bias": (56,),
        "first_part.1.weight": (56,),
        "mid_part.0.weight": (12, 56, 1, 1),
        "mid_part.0.bias": (12,),
        "mid_part.1.weight": (12,),
        "mid_part.2.weight": (12, 12, 3, 3),
        "mid_part.2.bias": (12,),
        "mid_part.3.weight": (12,),
        "mid_part.4.weight": (56, 12, 1, 1),
        "mid_part.4.bias": (56,),
        "mid_part.5.weight": (56,),
        "last_part.weight": (56, 1, 9, 9),
        "last_part.bias": (1,),
    }


@pytest.mark.parametrize(("d", "s", "m", "published"), [(56, 12, 4, 12464), (32, 5, 1, 3937)])
def test_has_the_number_of_weights_that_the_paper_tells(d, s, m, published):
    net = FSRCNN(scale=3, n_feats=d, n_shrunk=s, n_mappings=m)
    convolutions = sum(parameter.numel() for parameter in net.parameters() if parameter.ndim == 4)
    assert convolutions == published


@pytest.mark.parametrize("scale", [2, 3, 4])
@torch.no_grad()
def test_deconvolution_is_centred_on_the_first_pixel_of_each_cell(scale):
    net = FSRCNN(scale=scale, n_feats=1, n_shrunk=1, n_mappings=1)
    for parameter in net.parameters():
        parameter.zero_()
    for layer in (*net.first_part, *net.mid_part, net.last_part):
        if isinstance(layer, torch.nn.PReLU):
            layer.weight.fill_(0.5)
        else:
            centre = layer.kernel_size[0] // 2
            layer.weight[0, 0, centre, centre] = 1.0
    x = torch.tensor([[0.1, -0.8, 0.3], [0.4, 0.5, -1.6]]).view(1, 1, 2, 3)
    expected = torch.zeros(1, 1, 2 * scale, 3 * scale)
    # Four activations, each of which halves what is negative.
    expected[:, :, ::scale, ::scale] = torch.where(x > 0, x, x / 16)
    torch.testing.assert_close(net(x), expected)


def test_spec_asks_for_small_luma():
    assert spec(scale=3).colour == "y"
    assert spec(scale=3).scale == 3
    assert not spec(scale=3).pre_upsampled
