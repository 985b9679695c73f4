import pytest
import torch

from enhance_cli.arch.srgan import SRGAN, spec


def small():
    net = SRGAN(scale=2, n_blocks=2, n_feats=4).eval()
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-0.1, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    return net


@pytest.mark.parametrize(("scale", "published"), [(2, 586_506), (4, 734_219), (8, 881_932)])
def test_has_the_published_size(count_parameters, scale, published):
    assert count_parameters(SRGAN(scale=scale)) == published


@torch.no_grad()
def test_output_is_half_of_tanh_and_one():
    net = small()
    net.tail.weight.zero_()
    net.tail.bias.copy_(torch.tensor([0.0, 0.5, -30.0]))
    expected = torch.tensor([0.5, 0.7310586, 0.0])
    torch.testing.assert_close(net(torch.rand(1, 3, 5, 4))[0, :, 3, 3], expected)


@torch.no_grad()
def test_a_silent_body_leaves_what_the_head_found():
    net, x = small(), torch.rand(1, 3, 6, 5)
    for parameter in net.body[-1].parameters():
        parameter.zero_()
    net.body[-1].running_mean.zero_()
    expected = (net.tail(net.upsample(net.head(x))).tanh() + 1) / 2
    torch.testing.assert_close(net(x), expected)


@torch.no_grad()
def test_norms_use_the_stored_statistics():
    net, x = small(), torch.rand(2, 3, 6, 5)
    torch.testing.assert_close(net(x)[:1], net(x[:1]))
    before = net(x)
    net.body[0].bn1.running_var *= 4
    assert not torch.allclose(net(x), before)


def test_unknown_scale_is_refused():
    with pytest.raises(ValueError, match="not 5"):
        SRGAN(scale=5)


def test_halo_is_that_of_the_published_network():
    assert spec(scale=4).halo == 18
