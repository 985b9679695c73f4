import pytest
import torch

from enhance_cli.arch.blocks import RGB_MEAN
from enhance_cli.arch.edsr import EDSR
from enhance_cli.arch.vdsr import VDSR
from enhance_cli.checkpoints.recognise import recognise
from enhance_cli.checkpoints.wanted import Wanted
from enhance_cli.errors import ModelError

KNOWN = {"scale": 3, "n_blocks": 2, "n_feats": 8}


def to_basicsr(tensors):
    """The same weights as BasicSR would name them."""
    names = {
        "head.0": "conv_first",
        "body.2": "conv_after_body",
        "tail.1": "conv_last",
        "tail.0.0": "upsample.0",
    }
    for i in range(2):
        names |= {f"body.{i}.body.0": f"body.{i}.conv1", f"body.{i}.body.2": f"body.{i}.conv2"}
    kept = {key: tensor for key, tensor in tensors.items() if "_mean" not in key}
    return {f"{names[key.rpartition('.')[0]]}.{key.rpartition('.')[2]}": t for key, t in kept.items()}


def test_both_layouts_give_the_same_network():
    weights = EDSR(**KNOWN).state_dict()
    for tensors in (weights, to_basicsr(weights)):
        found = recognise(tensors)
        assert (found.arch, found.tasks) == ("edsr", ("sr",))
        assert found.parameters == {**KNOWN, "res_scale": 1.0}
        assert found.tensors.keys() == weights.keys()
        assert all(torch.equal(found.tensors[key], weights[key]) for key in weights)


@pytest.mark.parametrize(
    ("name", "res_scale"), [("edsr_baseline_x4", 1.0), ("edsr_x2", 0.1), ("basicsr_edsr_L_x3", 0.1)]
)
def test_the_published_residual_scaling_is_assumed_and_said(manifest_tensors, name, res_scale):
    found = recognise(manifest_tensors(name))
    assert found.parameters["res_scale"] == res_scale
    assert "--arch-option res_scale" in found.notes[0]


def test_other_wide_networks_are_asked_about():
    with torch.device("meta"):
        tensors = EDSR(scale=2, n_blocks=3, n_feats=128).state_dict()
    with pytest.raises(ModelError, match="--arch-option res_scale"):
        recognise(tensors)
    found = recognise(tensors, Wanted(options={"res_scale": "0.2"}))
    assert (found.parameters["res_scale"], found.notes) == (0.2, ())


@torch.no_grad()
@pytest.mark.parametrize(("network", "parameters"), [(EDSR, KNOWN), (VDSR, {"n_colours": 3, "n_layers": 3})])
def test_weights_trained_on_0_to_1_give_the_same_on_0_to_255(network, parameters):
    def fill(module, tensors):
        module.load_state_dict(tensors)
        return module

    torch.manual_seed(0)
    unit = {key: value.clone() for key, value in network(**parameters).state_dict().items()}
    unit["sub_mean.bias"], unit["add_mean.bias"] = -torch.tensor(RGB_MEAN), torch.tensor(RGB_MEAN)
    levels = recognise(unit).tensors
    x = torch.rand(1, 3, 7, 9)
    expected = fill(network(**parameters), unit)(x) * 255
    torch.testing.assert_close(fill(network(**parameters), levels)(x * 255), expected, rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(levels["sub_mean.bias"], -255 * torch.tensor(RGB_MEAN))
