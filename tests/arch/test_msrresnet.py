import pytest
import torch
from torch.nn import functional as F

from enhance_cli.arch.msrresnet import MSRResNet, spec


@pytest.mark.parametrize(("scale", "published"), [(2, 1_369_859), (3, 1_554_499), (4, 1_517_571)])
def test_has_the_published_size(count_parameters, scale, published):
    assert count_parameters(MSRResNet(scale=scale)) == published


@pytest.mark.parametrize("scale", [2, 3, 4])
@torch.no_grad()
def test_adds_to_a_bilinear_enlargement(scale):
    net = MSRResNet(scale=scale, n_blocks=1, n_feats=4)
    for parameter in net.tail[-1].parameters():
        parameter.zero_()
    x = torch.rand(1, 3, 5, 4)
    expected = F.interpolate(x, size=(5 * scale, 4 * scale), mode="bilinear", align_corners=False)
    torch.testing.assert_close(net(x), expected)


@torch.no_grad()
def test_no_skip_goes_around_the_body():
    net, x = MSRResNet(scale=2, n_blocks=1, n_feats=4), torch.rand(1, 3, 6, 5)
    for parameter in net.body[0].body[2].parameters():
        parameter.zero_()
    added = net(x) - F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
    torch.testing.assert_close(added, net.tail(net.upsample(net.head(x))))


def test_unknown_scale_is_refused():
    with pytest.raises(ValueError, match="not 5"):
        MSRResNet(scale=5)


def test_halo_holds_body_head_and_enlarged_pixels():
    assert spec(scale=4).halo == 35
