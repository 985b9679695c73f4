import pytest
import torch

from enhance_cli.arch.registry import ARCHITECTURES
from enhance_cli.checkpoints.layouts import basicsr, edsr
from enhance_cli.checkpoints.recognise import recognise
from enhance_cli.errors import ModelError

FULL = {"n_groups": 10, "n_blocks": 20, "n_feats": 64, "reduction": 16}
SMALL = {"n_groups": 3, "n_blocks": 2, "n_feats": 12, "reduction": 6}


def make(scale):
    return dict(ARCHITECTURES["rcan"].build(scale=scale, **SMALL).state_dict())


def to_basicsr(tensors):
    """BasicSR's names for a network of SMALL size, key by key."""
    names = {"head.0": "conv_first", "body.3": "conv_after_body", "tail.1": "conv_last"}
    for i in (0, 2, 4):
        names[f"tail.0.{i}"] = f"upsample.{i}"
    for g in range(3):
        names[f"body.{g}.body.2"] = f"body.{g}.conv"
        for b in range(2):
            ours, theirs = f"body.{g}.body.{b}.body", f"body.{g}.residual_group.{b}.rcab"
            names |= {f"{ours}.0": f"{theirs}.0", f"{ours}.2": f"{theirs}.2"}
            names |= {f"{ours}.3.conv_du.0": f"{theirs}.3.attention.1"}
            names |= {f"{ours}.3.conv_du.2": f"{theirs}.3.attention.3"}
    split = {key: key.rsplit(".", 1) for key in tensors if "mean" not in key}
    return {f"{names[stem]}.{leaf}": tensors[key] for key, (stem, leaf) in split.items()}


@pytest.mark.parametrize(
    ("name", "scale"),
    [
        *((f"rcan_x{scale}", scale) for scale in (2, 3, 4, 8)),
        *((f"basicsr_rcan_x{scale}", scale) for scale in (2, 3, 4)),
    ],
)
def test_published_files_are_known(manifest_tensors, name, scale):
    found = recognise(manifest_tensors(name))
    assert (found.arch, found.tasks, found.dropped) == ("rcan", ("sr",), ())
    assert found.parameters == {"scale": scale, **FULL}
    assert ("BasicSR" in found.title) == name.startswith("basicsr")
    with torch.device("meta"):
        net = ARCHITECTURES["rcan"].build(**found.parameters)
    net.load_state_dict(found.tensors, assign=True)


@pytest.mark.parametrize(("name", "peak"), [("rcan_x2", 1), ("rcan_x3", 1), ("basicsr_rcan_x2", 255)])
@torch.no_grad()
def test_a_file_as_read_computes_what_its_code_computes(reference_case, name, peak):
    case = reference_case(name)
    found = recognise(case.weights)
    net = ARCHITECTURES["rcan"].build(**found.parameters).eval()
    net.load_state_dict(found.tensors)
    y, expected = net(peak * case.tensors["input"]) / peak, case.tensors["output"]
    assert (y - expected).abs().max() <= case.tolerance * expected.abs().max()


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_shapes_tell_everything(scale):
    tensors = make(scale)
    found = recognise(tensors)
    assert found.parameters == {"scale": scale, **SMALL}
    assert found.tensors.keys() == tensors.keys()


@pytest.mark.parametrize("scale", [2, 3, 8])
def test_basicsr_names_are_the_same_network(scale):
    tensors = make(scale)
    found = recognise(to_basicsr(tensors))
    assert found.parameters == {"scale": scale, **SMALL}
    assert found.tensors.keys() == tensors.keys()
    torch.testing.assert_close(found.tensors, tensors, rtol=0, atol=0)


def test_mean_shift_of_a_file_is_kept():
    tensors = make(2)
    tensors["add_mean.bias"] = torch.tensor([1.0, 2.0, 3.0])
    assert recognise(tensors).tensors["add_mean.bias"].tolist() == [1, 2, 3]


@pytest.mark.parametrize("shape", [(12,), (0, 12, 1, 1)])
def test_an_attention_of_impossible_shape_is_refused(shape):
    tensors = make(2)
    tensors["body.0.body.0.body.3.conv_du.0.weight"] = torch.zeros(shape)
    with pytest.raises(ModelError, match="conv_du"):
        recognise(tensors)


def test_edsr_and_rcan_are_told_apart():
    network = ARCHITECTURES["edsr"].build(scale=2, n_blocks=2, n_feats=4).state_dict()
    assert edsr.rcan(network, None) is None and basicsr.rcan(network, None) is None
    for tensors in (make(2), to_basicsr(make(2))):
        assert edsr.edsr(tensors, None) is None and basicsr.edsr(tensors, None) is None
