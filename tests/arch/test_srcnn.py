import pytest
import torch

from enhance_cli.arch.srcnn import SRCNN, spec


@torch.no_grad()
def test_computes_what_the_public_code_computes(case):
    reference = case("srcnn_yjn870")
    net = SRCNN()
    net.load_state_dict(reference.weights)
    reference.check(net(reference.tensors["input"]))


def test_keys_are_those_of_the_public_files(check_manifest):
    check_manifest("srcnn_yjn870", SRCNN)


@pytest.mark.parametrize(("kernels", "weights"), [((9, 1, 5), 8032), ((9, 3, 5), 24416), ((9, 5, 5), 57184)])
def test_has_the_number_of_weights_that_the_paper_tells(count_parameters, kernels, weights):
    biases = 64 + 32 + 1
    assert count_parameters(SRCNN(kernels=kernels)) == weights + biases


@torch.no_grad()
def test_rectifies_both_features_but_not_the_picture():
    net = SRCNN(kernels=(1, 1, 1), n_feats=(1, 1))
    for layer, weight, bias in ((net.conv1, 2.0, -1.0), (net.conv2, -1.0, 0.5), (net.conv3, -3.0, 0.25)):
        layer.weight.fill_(weight)
        layer.bias.fill_(bias)
    # 0.2 -> 0 -> 0.5 -> -1.25;  0.6 -> 0.2 -> 0.3 -> -0.65;  0.9 -> 0.8 -> 0 -> 0.25
    x = torch.tensor([0.2, 0.6, 0.9]).view(1, 1, 1, 3)
    torch.testing.assert_close(net(x).flatten(), torch.tensor([-1.25, -0.65, 0.25]))


def test_even_kernels_are_refused():
    with pytest.raises(ValueError, match="odd"):
        SRCNN(kernels=(9, 4, 5))


def test_spec_asks_for_enlarged_luma():
    assert spec().colour == "y"
    assert spec().pre_upsampled
    assert spec().scale == 1
    assert spec().halo == 8
    assert spec(n_colours=3).colour == "rgb"
