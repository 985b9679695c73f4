import torch

from enhance_cli.arch.blocks import RGB_MEAN
from enhance_cli.arch.span import SPAN, Block, spec


def test_has_the_published_size_without_the_ways_it_was_trained_in(count_parameters):
    # 3x3 convolutions: one of 3 to 48 channels, 19 of 48 to 48, the last one; and one of 192 to 48.
    expected = (27 * 48 + 48) + 19 * (432 * 48 + 48) + (432 * 48 + 48) + (192 * 48 + 48)
    assert count_parameters(SPAN(scale=4)) == expected


@torch.no_grad()
def test_features_weigh_themselves_and_vanish_where_nothing_was_found():
    block = Block(4)
    for parameter in block.c3_r.parameters():
        parameter.zero_()
    y, begun = block(torch.rand(1, 4, 5, 6))
    assert not y.any()
    assert begun.any()


@torch.no_grad()
def test_the_input_is_centred_and_stretched_inside():
    net = SPAN(scale=2, n_blocks=1, n_feats=4)
    bare = SPAN(scale=2, n_blocks=1, n_feats=4, norm=False)
    bare.load_state_dict(net.state_dict())
    x = torch.rand(1, 3, 6, 5)
    torch.testing.assert_close(net(x), bare((x - torch.tensor(RGB_MEAN).view(1, 3, 1, 1)) * 255))


@torch.no_grad()
def test_four_maps_are_joined():
    net, x = SPAN(scale=2, n_blocks=3, n_feats=4), torch.rand(1, 3, 6, 5)
    joined = []
    net.join.register_forward_pre_hook(lambda _, given: joined.append(given[0]))
    net(x)
    shallow = net.head((x - net.mean) * 255)
    first, _ = net.blocks[0](shallow)
    second, _ = net.blocks[1](first)
    third, begun = net.blocks[2](second)
    torch.testing.assert_close(joined[0], torch.cat((shallow, net.after_blocks(third), first, begun), 1))


def test_halo_counts_three_convolutions_in_each_block():
    assert spec(scale=4).halo == 21
