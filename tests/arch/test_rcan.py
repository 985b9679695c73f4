import pytest
import torch

from enhance_cli.arch.rcan import RCAN, ChannelAttention, spec

SMALL = {"n_groups": 2, "n_blocks": 2, "n_feats": 8, "reduction": 4}


@pytest.mark.parametrize(
    ("name", "reduced"),
    [
        ("rcan_x2", {"scale": 2, "n_groups": 1, "n_blocks": 3, "n_feats": 32, "reduction": 8}),
        ("rcan_x3", {"scale": 3, "n_groups": 2, "n_blocks": 2, "n_feats": 40, "reduction": 10}),
    ],
)
@torch.no_grad()
def test_computes_what_the_authors_code_computes(case, name, reduced):
    reference = case(name)
    net = RCAN(**reduced).eval()
    net.load_state_dict(reference.weights)
    reference.check(net(reference.tensors["input"]))


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_keys_are_those_of_the_published_files(check_manifest, scale):
    check_manifest(f"rcan_x{scale}", lambda: RCAN(scale=scale))


def test_has_the_size_told_by_the_paper(count_parameters):
    with torch.device("meta"):
        assert round(count_parameters(RCAN(scale=4)) / 1e6) == 16


def open_gates(net, logit):
    """Every channel weight becomes sigmoid(logit)."""
    for module in net.modules():
        if isinstance(module, ChannelAttention):
            torch.nn.init.zeros_(module.conv_du[2].weight)
            torch.nn.init.constant_(module.conv_du[2].bias, logit)


@torch.no_grad()
def test_blocks_whose_channels_weigh_nothing_let_pass():
    net = RCAN(scale=2, **SMALL)
    block = net.body[0].body[0]
    x = torch.randn(2, 8, 6, 5)
    assert not torch.allclose(block(x), x, atol=1e-3)
    open_gates(net, -100.0)
    torch.testing.assert_close(block(x), x)
    open_gates(net, 100.0)
    torch.testing.assert_close(block(x), x + block.body[:3](x))


@torch.no_grad()
def test_channel_weights_come_from_averages_over_the_picture():
    attention = ChannelAttention(8, 4)
    x = torch.randn(1, 8, 6, 5)
    shuffled = x.flatten(2)[:, :, torch.randperm(30)].view_as(x)
    gain = (attention(x) / x).amax((2, 3))
    torch.testing.assert_close(gain, (attention(shuffled) / shuffled).amax((2, 3)))
    narrow, widen = (attention.conv_du[i] for i in (0, 2))
    hidden = torch.relu(x.mean((2, 3)) @ narrow.weight[:, :, 0, 0].T + narrow.bias)
    torch.testing.assert_close(gain, torch.sigmoid(hidden @ widen.weight[:, :, 0, 0].T + widen.bias))


@torch.no_grad()
def test_groups_and_the_whole_body_have_skips_of_their_own():
    net = RCAN(scale=2, **SMALL)
    x = torch.randn(1, 8, 6, 5)
    for last in (net.body[0].body[-1], net.body[-1]):
        torch.nn.init.zeros_(last.weight)
        torch.nn.init.zeros_(last.bias)
    torch.testing.assert_close(net.body[0](x), x)
    picture = 255 * torch.rand(1, 3, 6, 5)
    expected = net.add_mean(net.tail(net.head(net.sub_mean(picture))))
    torch.testing.assert_close(net(picture), expected)


@pytest.mark.parametrize("size", [(1, 1), (37, 45), (3, 500)])
@torch.no_grad()
def test_any_size_goes_through(size):
    y = RCAN(scale=3, **SMALL)(255 * torch.rand(1, 3, *size))
    assert y.shape == (1, 3, 3 * size[0], 3 * size[1])
    assert y.isfinite().all()


@pytest.mark.parametrize("reduction", [0, 9])
def test_channels_cannot_be_narrowed_to_nothing(reduction):
    with pytest.raises(ValueError, match=f"1 to 8 for 8 features, not {reduction}"):
        RCAN(scale=2, **{**SMALL, "reduction": reduction})


def test_spec_knows_that_attention_sees_everything():
    assert spec(scale=2).tiling == "approximate"
    # The convolutions see as far as those of an EDSR with the same ones.
    assert spec(scale=2, n_groups=1, n_blocks=3).halo == 11
