import pytest
import torch
from torch.nn import functional as F

from enhance_cli.arch.ffdnet import FFDNet, spec

COLOUR = {"n_colours": 3, "n_feats": 96, "n_layers": 12}


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("kair_ffdnet_gray", {}),
        ("kair_ffdnet_color", COLOUR),
        ("cszn_ffdnet_gray_mat", {}),
        ("cszn_ffdnet_color_mat", COLOUR),
    ],
)
def test_keys_are_those_of_the_published_files(check_manifest, name, parameters):
    check_manifest(name, lambda: FFDNet(**parameters))


@pytest.mark.parametrize(("parameters", "published"), [({}, 485_316), (COLOUR, 852_108)])
def test_has_the_published_size(count_parameters, parameters, published):
    assert count_parameters(FFDNet(**parameters)) == published


def selecting(channel_of_output):
    """An FFDNet of two layers whose output sub-picture i is its input channel channel_of_output[i]."""
    net = FFDNet(n_feats=5, n_layers=2)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.zero_()
        for i in range(5):
            net.model[0].weight[i, i, 1, 1] = 1
        for i, channel in enumerate(channel_of_output):
            net.model[2].weight[i, channel, 1, 1] = 1
    return net


@pytest.mark.parametrize("size", [(6, 8), (7, 8), (6, 9), (1, 1)])
@torch.no_grad()
def test_every_pixel_goes_through_and_comes_back_to_its_place(size):
    x = torch.rand(2, 1, *size)
    torch.testing.assert_close(selecting([0, 1, 2, 3])(x, torch.zeros(2, 1, 1, 1)), x)


@torch.no_grad()
def test_sub_pictures_are_ordered_row_by_row():
    x = torch.rand(1, 1, 4, 4)
    y = selecting([1, 1, 1, 1])(x, torch.zeros(1, 1, 1, 1))
    expected = F.interpolate(x[:, :, 0::2, 1::2], scale_factor=2.0, mode="nearest")
    torch.testing.assert_close(y, expected)


@torch.no_grad()
def test_noise_level_is_the_last_channel_and_each_picture_has_its_own():
    sigma = torch.tensor([0.1, 0.2]).view(2, 1, 1, 1)
    y = selecting([4, 4, 4, 4])(torch.rand(2, 1, 5, 6), sigma)
    torch.testing.assert_close(y, sigma.expand(2, 1, 5, 6))


@torch.no_grad()
def test_predicts_the_picture_and_no_residual():
    net = FFDNet(n_feats=4, n_layers=3)
    for parameter in net.parameters():
        parameter.zero_()
    assert not net(torch.rand(1, 1, 5, 5), torch.tensor(0.1).view(1, 1, 1, 1)).any()


@torch.no_grad()
def test_odd_sizes_repeat_the_last_row_and_column():
    net = FFDNet(n_feats=4, n_layers=3)
    x, sigma = torch.rand(1, 1, 7, 9), torch.full((1, 1, 1, 1), 0.1)
    padded = F.pad(x, (0, 1, 0, 1), mode="replicate")
    torch.testing.assert_close(net(x, sigma), net(padded, sigma)[:, :, :7, :9])


def test_spec_asks_for_the_noise_level():
    assert spec().condition == "sigma"
    assert (spec().colour, spec(**COLOUR).colour) == ("gray", "rgb")
