import pytest
import torch

from enhance_cli.arch.srresnet import Block, SRResNet, spec


@torch.no_grad()
def test_computes_what_the_authors_code_computes(case):
    reference = case("srresnet_twtygqyy")
    net = SRResNet(n_blocks=4).eval()
    net.load_state_dict(reference.weights)
    reference.check(net(reference.tensors["input"]))


def test_keys_are_those_of_the_published_files(check_manifest):
    check_manifest("srresnet_twtygqyy", SRResNet)


def test_has_the_published_size(count_parameters):
    assert count_parameters(SRResNet()) == 1_546_752


@torch.no_grad()
def test_each_picture_is_normalised_by_its_own_statistics_in_eval_mode_too():
    block = Block(4).eval()
    x = torch.randn(2, 4, 6, 7)
    change = block(x) - x
    torch.testing.assert_close(change.mean((2, 3)), torch.zeros(2, 4), rtol=0, atol=1e-6)
    torch.testing.assert_close(change.var((2, 3), correction=0), torch.ones(2, 4), rtol=0, atol=1e-2)


def test_one_pixel_has_no_statistics_and_the_spec_says_so():
    with pytest.raises(ValueError, match="spatial"):
        SRResNet(n_blocks=1, n_feats=4)(torch.rand(1, 3, 1, 1))
    assert spec().minimum == 2


def test_tiles_are_not_exact():
    assert (spec().tiling, spec().scale, spec().halo) == ("approximate", 4, 40)
