import pytest
import torch

from enhance_cli.arch.vdsr import VDSR
from enhance_cli.checkpoints.recognise import recognise
from enhance_cli.errors import ModelError


def luma_file(n_inner, n_feats=4, n_colours=1):
    """Random weights under pytorch-vdsr's keys."""
    return {
        **{f"residual_layer.{i}.conv.weight": torch.randn(n_feats, n_feats, 3, 3) for i in range(n_inner)},
        "input.weight": torch.randn(n_feats, n_colours, 3, 3),
        "output.weight": torch.randn(n_colours, n_feats, 3, 3),
    }


@pytest.mark.parametrize("name", ["vdsr_twtygqyy_published", "vdsr_edsrpytorch"])
@torch.no_grad()
def test_public_file_computes_what_its_code_computes(reference_case, name):
    case = reference_case(name)
    found = recognise(case.weights)
    net = VDSR(**found.parameters)
    net.load_state_dict(found.tensors)
    expected = case.tensors["output"]
    error = (net(case.tensors["input"]) - expected).abs().max()
    assert error <= case.tolerance * expected.abs().max()


@pytest.mark.parametrize(("name", "n_colours"), [("vdsr_twtygqyy", 1), ("vdsr_edsrpytorch", 3)])
def test_published_sizes_are_recognised(manifest_tensors, name, n_colours):
    found = recognise(manifest_tensors(name))
    assert found.arch == "vdsr"
    assert found.parameters == {"n_colours": n_colours, "n_feats": 64, "n_layers": 20}
    assert found.tasks == ("sr",)


@torch.no_grad()
def test_layers_of_the_luma_file_come_in_order_and_without_biases():
    tensors = luma_file(n_inner=11)
    found = recognise(tensors)
    net = VDSR(**found.parameters)
    net.load_state_dict(found.tensors)
    order = ["input.weight", *(f"residual_layer.{i}.conv.weight" for i in range(11)), "output.weight"]
    for layer, key in zip(net.body, order, strict=True):
        torch.testing.assert_close(layer[0].weight, tensors[key])
        assert not layer[0].bias.any()


def test_colour_file_without_mean_shift_gets_the_nominal_one():
    theirs = VDSR(n_colours=3, n_feats=4, n_layers=3).state_dict()
    found = recognise({key: tensor for key, tensor in theirs.items() if "mean" not in key})
    assert found.parameters == {"n_colours": 3, "n_feats": 4, "n_layers": 3}
    assert found.tensors.keys() == theirs.keys()
    torch.testing.assert_close(found.tensors["sub_mean.bias"], theirs["sub_mean.bias"])


def test_a_chain_with_a_head_is_not_taken_for_it():
    theirs = VDSR(n_colours=3, n_feats=4, n_layers=3).state_dict()
    with pytest.raises(ModelError, match="no network known"):
        recognise({**theirs, "head.0.weight": torch.zeros(4, 3, 3, 3)})


def test_other_colours_than_those_published_are_refused():
    with pytest.raises(ModelError, match="takes luma, and this one 3 channels"):
        recognise(luma_file(n_inner=2, n_colours=3))
    with pytest.raises(ModelError, match="takes RGB, and this one 1 channels"):
        recognise(VDSR(n_feats=4, n_layers=3).state_dict())


def test_weights_that_are_no_convolutions_are_refused():
    with pytest.raises(ModelError, match=r"input\.weight"):
        recognise({**luma_file(n_inner=2), "input.weight": torch.zeros(4)})
