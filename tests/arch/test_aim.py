import pytest
import torch

from enhance_cli.arch.aim import AIM, spec

SMALL = {"n_modules": 3, "n_feats": 8}
PLAIN = {"attention": False, "inception": False}
"""The paper's Arch1."""


@pytest.mark.parametrize(("ablation", "paper"), [(PLAIN, 1.3e6), ({"attention": False}, 1.3e6), ({}, 1.6e6)])
def test_has_nearly_the_size_told_by_the_paper(count_parameters, ablation, paper):
    with torch.device("meta"):
        assert 0.95 * paper < count_parameters(AIM(**ablation)) < paper


def test_the_plain_ablation_is_as_deep_as_the_others():
    assert longest_path(AIM(**SMALL, **PLAIN)) == longest_path(AIM(**SMALL)) == 3 * 3 + 4


def longest_path(net):
    """Convolutions one behind the other; of parallel branches one counts."""
    parallel = [convolutions(b) for m in net.body if hasattr(m, "branches") for b in m.branches[1:]]
    return convolutions(net.head) + convolutions(net.body) + convolutions(net.tail) - sum(parallel)


def convolutions(module):
    return sum(isinstance(child, torch.nn.Conv2d) for child in module.modules())


@torch.no_grad()
def test_the_plain_ablation_widens_in_between_and_has_no_dilation():
    chain = [m for m in AIM(**PLAIN).body[0].modules() if isinstance(m, torch.nn.Conv2d)]
    assert [(conv.in_channels, conv.out_channels) for conv in chain] == [(64, 96), (96, 96), (96, 64)]
    assert all(conv.dilation == (1, 1) for conv in chain)


@torch.no_grad()
def test_plain_modules_keep_the_short_skip():
    net = AIM(**SMALL, **PLAIN).eval()
    for module in net.body:
        module.layers[-1][1].weight.zero_()
    x = torch.rand(1, 1, 9, 13)
    torch.testing.assert_close(net(x), x + net.tail(net.head(x)))


def test_attention_without_branches_is_refused():
    with pytest.raises(ValueError, match="attention=False"):
        AIM(inception=False)


@torch.no_grad()
def test_training_starts_near_the_identity():
    x = torch.rand(2, 1, 9, 13)
    assert (AIM(**SMALL)(x) - x).abs().max() < 0.02


@torch.no_grad()
def test_branches_have_the_dilations_and_widths_of_the_paper():
    first = [branch[0][0] for branch in AIM().body[0].branches]
    assert [conv.dilation[0] - 1 for conv in first] == [0, 1, 2, 4]
    assert [conv.out_channels for conv in first] == [64, 32, 16, 16]


def test_every_convolution_of_a_module_is_normalised():
    module = AIM(**SMALL).body[0]
    kinds = [type(child).__name__ for child in module.modules()]
    assert kinds.count("Conv2d") == kinds.count("BatchNorm2d") == 9


@torch.no_grad()
def test_attention_weighs_channels_by_a_sigmoid():
    net = AIM(**SMALL).eval()
    for module in net.body:
        module.attention.narrow.weight.zero_()
    plain = AIM(**SMALL, attention=False).eval()
    plain.load_state_dict({key: t for key, t in net.state_dict().items() if "attention" not in key})
    x = torch.rand(1, 1, 12, 12)
    set_vectors(net, 50.0)  # sigmoid is 1
    torch.testing.assert_close(net(x), plain(x))
    set_vectors(net, -50.0)  # sigmoid is 0: only head and tail are left
    torch.testing.assert_close(net(x), x + net.tail(net.head(x)))


@torch.no_grad()
def test_the_first_vector_goes_to_every_later_module():
    net = AIM(**SMALL).eval()
    received, own = [], []
    for module in net.body:
        module.register_forward_pre_hook(lambda _, args: received.append(args[1]))
        module.register_forward_hook(lambda _, args, result: own.append(result[1]))
    net(torch.rand(1, 1, 12, 12))
    assert received[0] is None
    assert received[1] is received[2] is own[0]


@torch.no_grad()
def test_an_earlier_vector_is_added_before_the_sigmoid():
    module = AIM(**SMALL).eval().body[0]
    x, earliest = torch.rand(2, 8, 6, 6), torch.randn(2, 8)
    alone, vector = module(x, None)
    strengthened, _ = module(x, earliest)
    gain = torch.sigmoid(vector + earliest) / torch.sigmoid(vector)
    torch.testing.assert_close(strengthened - x, (alone - x) * gain[:, :, None, None])


def set_vectors(net, value):
    for module in net.body:
        module.attention.narrow.bias.fill_(value)


def test_gradients_reach_every_parameter():
    net = AIM(**SMALL)
    net(torch.rand(2, 1, 8, 8)).square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())


def test_spec_wants_enlarged_luma_and_knows_that_attention_sees_everything():
    assert (spec().colour, spec().pre_upsampled, spec().scale) == ("y", True, 1)
    assert (spec().tiling, spec(attention=False).tiling) == ("approximate", "exact")
    assert (spec(**PLAIN).tiling, spec(**PLAIN).halo) == ("exact", 6 * 3 + 4)
