import pytest
import torch
from torch.nn import functional as F

from enhance_cli.arch.pan import PAN, Block, spec


@pytest.mark.parametrize(("scale", "published"), [(2, 261_403), (3, 261_403), (4, 272_419)])
def test_has_the_published_size(count_parameters, scale, published):
    assert count_parameters(PAN(scale=scale)) == published


@pytest.mark.parametrize("scale", [2, 3, 4])
@torch.no_grad()
def test_adds_to_a_bilinear_enlargement(scale):
    net = PAN(scale=scale, n_blocks=1, n_feats=4, n_narrow=4)
    for parameter in net.tail.parameters():
        parameter.zero_()
    x = torch.rand(1, 3, 5, 4)
    expected = F.interpolate(x, size=(5 * scale, 4 * scale), mode="bilinear", align_corners=False)
    torch.testing.assert_close(net(x), expected)


@torch.no_grad()
def test_attention_weighs_one_branch_only():
    block, x = Block(4), torch.rand(1, 4, 6, 5)
    whole = block(x)
    block.attention.weight.zero_()
    block.attention.bias.fill_(-1e4)
    block.join.weight[:, 2:].zero_()
    torch.testing.assert_close(
        block(x),
        x
        + block.join(
            torch.cat(
                (
                    F.leaky_relu(block.plain(F.leaky_relu(block.into_plain(x), 0.2)), 0.2),
                    torch.zeros(1, 2, 6, 5),
                ),
                1,
            )
        ),
    )
    assert not torch.allclose(block(x), whole)


def test_unknown_scale_is_refused():
    with pytest.raises(ValueError, match="2, 3, 4, not 8"):
        PAN(scale=8)


def test_halo_holds_body_head_and_enlarged_pixels():
    assert spec(scale=4).halo == 36
