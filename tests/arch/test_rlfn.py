import pytest
import torch

from enhance_cli.arch.rlfn import RLFN, SpatialAttention, spec


def test_has_the_published_sizes(count_parameters):
    assert count_parameters(RLFN(scale=4)) == 543_740
    # The winner of the challenge: 0.317 million.
    winner = RLFN(scale=4, n_blocks=4, n_feats=46, n_mid=48)
    assert round(count_parameters(winner) / 1e6, 3) == 0.317


@torch.no_grad()
def test_attention_of_zero_logits_halves():
    part = SpatialAttention(4, 3)
    for parameter in part.conv4.parameters():
        parameter.zero_()
    x = torch.rand(1, 4, 16, 20)
    torch.testing.assert_close(part(x), x / 2)


@torch.no_grad()
def test_the_skip_goes_around_all_blocks():
    net = RLFN(scale=2, n_blocks=1, n_feats=4, n_attention=3)
    for parameter in net.after_blocks.parameters():
        parameter.zero_()
    x = torch.rand(1, 3, 16, 15)
    torch.testing.assert_close(net(x), net.tail(net.head(x)))


def test_the_smallest_input_is_as_small_as_pooling_allows():
    net = RLFN(scale=2, n_blocks=1, n_feats=4, n_attention=3)
    least = spec(scale=2).minimum
    net(torch.rand(1, 3, least, least))
    with pytest.raises(RuntimeError, match="Output size is too small"):
        net(torch.rand(1, 3, least - 1, least))
