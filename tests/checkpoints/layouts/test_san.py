import pytest
import torch

from enhance_cli.arch.registry import ARCHITECTURES
from enhance_cli.checkpoints.recognise import recognise
from enhance_cli.errors import ModelError

SMALL = {"n_groups": 3, "n_blocks": 2, "n_feats": 16, "reduction": 4}


def make(scale):
    """State of a small network, and the dead parameters that the authors' files hold besides."""
    ours = dict(ARCHITECTURES["san"].build(scale=scale, **SMALL).state_dict())
    dead = {f"RG.{g}.gamma": torch.ones(1) for g in range(3)}
    dead |= {"conv_last.weight": torch.ones(16, 16, 3, 3), "conv_last.bias": torch.ones(16)}
    dead |= {"non_local.soca.conv_du.0.weight": torch.ones(2, 16, 1, 1)}
    return ours, dead


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_published_files_are_known(manifest_tensors, scale):
    tensors = manifest_tensors(f"san_x{scale}")
    found = recognise(tensors)
    assert (found.arch, found.tasks) == ("san", ("sr",))
    full = {"n_groups": 20, "n_blocks": 10, "n_feats": 64, "reduction": 16}
    assert found.parameters == {"scale": scale, **full}
    with torch.device("meta"):
        net = ARCHITECTURES["san"].build(**found.parameters)
    net.load_state_dict(found.tensors, assign=True)
    assert {*net.state_dict(), *found.dropped} == tensors.keys()
    assert len(found.dropped) == 20 + 2 + 4


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_network_and_dropped_together_have_the_published_size(manifest_tensors, scale):
    tensors = manifest_tensors(f"san_x{scale}")
    found = recognise(tensors)
    with torch.device("meta"):
        net = ARCHITECTURES["san"].build(**found.parameters)
    size = sum(p.numel() for p in net.parameters()) + sum(tensors[key].numel() for key in found.dropped)
    assert size == {2: 15_712_800, 3: 15_897_440, 4: 15_860_512, 8: 16_008_224}[scale]


@torch.no_grad()
def test_a_file_as_read_computes_what_the_authors_code_computes(reference_case):
    case = reference_case("san_x2")
    found = recognise(case.weights)
    net = ARCHITECTURES["san"].build(**found.parameters).eval()
    net.load_state_dict(found.tensors)
    y, expected = net(case.tensors["input"]), case.tensors["output"]
    assert (y - expected).abs().max() <= case.tolerance * expected.abs().max()


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_shapes_tell_everything_and_dead_parameters_are_named(scale):
    ours, dead = make(scale)
    found = recognise({**ours, **dead})
    assert found.parameters == {"scale": scale, **SMALL}
    assert found.tensors.keys() == ours.keys()
    assert set(found.dropped) == dead.keys()


def test_the_scalar_that_groups_share_is_kept():
    ours, dead = make(2)
    found = recognise({**ours, **dead, "gamma": torch.tensor([0.5])})
    assert found.tensors["gamma"].item() == 0.5


def test_a_narrowing_to_nothing_is_refused():
    ours, dead = make(2)
    with pytest.raises(ModelError):
        recognise({**ours, **dead, "RG.0.soca.conv_du.0.weight": torch.zeros(0, 16, 1, 1)})
