import pytest
import torch

from enhance_cli.arch.fdncnn import FDnCNN, spec


@pytest.mark.parametrize(
    ("name", "parameters"), [("kair_fdncnn_gray", {}), ("kair_fdncnn_color", {"n_colours": 3})]
)
def test_keys_are_those_of_the_published_files(check_manifest, name, parameters):
    check_manifest(name, lambda: FDnCNN(**parameters))


def selecting(channel):
    """Two layers whose output is one channel of their input."""
    net = FDnCNN(n_feats=2, n_layers=2)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.zero_()
        net.model[0].weight[0, channel, 1, 1] = 1
        net.model[2].weight[0, 0, 1, 1] = 1
    return net


@torch.no_grad()
def test_predicts_the_picture_and_no_residual():
    x = torch.rand(2, 1, 5, 6)
    torch.testing.assert_close(selecting(0)(x, torch.zeros(1, 1, 1, 1)), x)


@torch.no_grad()
def test_noise_level_is_the_last_channel_and_each_picture_has_its_own():
    sigma = torch.tensor([0.1, 0.2]).view(2, 1, 1, 1)
    torch.testing.assert_close(selecting(1)(torch.rand(2, 1, 5, 6), sigma), sigma.expand(2, 1, 5, 6))


def test_spec_asks_for_the_noise_level():
    assert (spec().condition, spec().halo) == ("sigma", 20)
    assert (spec().colour, spec(n_colours=3).colour) == ("gray", "rgb")
