import pytest
import torch

from enhance_cli.arch.arcnn import ARCNN, spec

both = pytest.mark.parametrize(("name", "fast"), [("arcnn_yjn870", False), ("fast_arcnn_yjn870", True)])


@both
@torch.no_grad()
def test_computes_what_the_public_code_computes(case, name, fast):
    reference = case(name)
    net = ARCNN(fast=fast)
    net.load_state_dict(reference.weights)
    reference.check(net(reference.tensors["input"]))


@both
def test_keys_are_those_of_the_public_files(check_manifest, name, fast):
    check_manifest(name, lambda: ARCNN(fast=fast))


def test_luma_network_has_the_number_of_weights_that_the_paper_tells():
    weights = [p.numel() for p in ARCNN(n_colours=1).parameters() if p.ndim == 4]
    assert sum(weights) == 106_448


@pytest.mark.parametrize("fast", [False, True])
@torch.no_grad()
def test_output_is_the_picture_and_no_residual(fast):
    net = ARCNN(fast=fast)
    net.last.weight.zero_()
    net.last.bias.copy_(torch.tensor([0.1, 0.2, 0.3]))
    y = net(torch.rand(1, 3, 6, 8))
    torch.testing.assert_close(y, torch.tensor([0.1, 0.2, 0.3]).view(1, 3, 1, 1).expand(1, 3, 6, 8))


@torch.no_grad()
def test_fast_network_needs_even_sizes_and_says_so():
    assert spec(fast=True).multiple == 2
    assert spec().multiple == 1
    assert ARCNN(fast=True)(torch.rand(1, 3, 7, 8)).shape == (1, 3, 8, 8)
    assert ARCNN()(torch.rand(1, 3, 7, 9)).shape == (1, 3, 7, 9)


def test_spec_tells_the_colour():
    assert spec().colour == "rgb"
    assert spec(n_colours=1).colour == "y"
