import torch
from torch.nn import functional as F

from enhance_cli.arch.ircnn import IRCNN, spec


def test_keys_are_those_of_the_published_files(check_manifest):
    check_manifest("kair_ircnn_gray", IRCNN)


def test_has_the_published_size(count_parameters):
    assert count_parameters(IRCNN()) == 185_857


@torch.no_grad()
def test_takes_away_what_the_dilated_convolutions_find():
    net, x = IRCNN(n_colours=3, n_feats=6), torch.rand(2, 3, 9, 11)
    y = x
    for i, dilation in enumerate((1, 2, 3, 4, 3, 2, 1)):
        weight, bias = (net.state_dict()[f"model.{2 * i}.{key}"] for key in ("weight", "bias"))
        y = F.conv2d(y if i == 0 else y.clamp(min=0), weight, bias, padding=dilation, dilation=dilation)
    torch.testing.assert_close(net(x), x - y)


def test_sees_as_far_as_sixteen_plain_convolutions():
    assert spec().halo == 16
    assert (spec().colour, spec(n_colours=3).colour) == ("gray", "rgb")
