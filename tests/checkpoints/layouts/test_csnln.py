import pytest
import torch

from enhance_cli.arch.csnln import CSNLN
from enhance_cli.arch.registry import ARCHITECTURES
from enhance_cli.checkpoints.recognise import recognise
from enhance_cli.errors import ModelError


def load(found):
    net = ARCHITECTURES[found.arch].build(**found.parameters).eval()
    net.load_state_dict(found.tensors)
    return net


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_published_files_are_recognised_and_fit(manifest_tensors, scale):
    found = recognise(manifest_tensors(f"csnln_x{scale}"))
    assert (found.title, found.arch, found.tasks) == ("CSNLN (authors' keys)", "csnln", ("sr",))
    assert found.parameters == {"scale": scale, "n_feats": 128, "depth": 12}
    load(found)


@torch.no_grad()
def test_a_recognised_file_computes_what_the_authors_code_computes(reference_case):
    reference = reference_case("csnln_x2")
    found = recognise(reference.weights)
    assert found.parameters == {"scale": 2, "n_feats": 32, "depth": 3}
    expected = reference.tensors["output"]
    error = (load(found)(reference.tensors["input"]) - expected).abs().max()
    assert error <= reference.tolerance * expected.abs().max()


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_parameters_are_read_from_the_shapes(scale):
    parameters = {"scale": scale, "n_feats": 4, "depth": 5}
    assert recognise(CSNLN(**parameters).state_dict()).parameters == parameters


@pytest.mark.parametrize("scale", [2, 4])
@torch.no_grad()
def test_missing_constants_are_the_nominal_ones(scale):
    net = CSNLN(scale=scale, n_feats=4, depth=2).eval()
    constants = ("mean", "escape_NaN")
    bare = {key: t for key, t in net.state_dict().items() if not any(name in key for name in constants)}
    x = torch.rand(1, 3, 4, 6)
    torch.testing.assert_close(load(recognise(bare))(x), net(x))


def test_constants_of_the_file_go_before_the_nominal_ones():
    tensors = CSNLN(scale=2, n_feats=4, depth=1).state_dict()
    key = "SEM.multi_source_projection.up_attention.escape_NaN"
    assert recognise({**tensors, key: torch.tensor([0.5])}).tensors[key] == 0.5


def test_a_kernel_of_no_published_scale_is_refused():
    tensors = CSNLN(scale=2, n_feats=4, depth=1).state_dict()
    key = "SEM.multi_source_projection.upsample.0.weight"
    with pytest.raises(ModelError, match="do not add up"):
        recognise({**tensors, key: torch.zeros(4, 4, 5, 5)})


def test_a_damaged_tail_is_refused():
    tensors = CSNLN(scale=2, n_feats=4, depth=1).state_dict()
    with pytest.raises(ModelError, match=r"'tail\.0\.weight' has shape"):
        recognise({**tensors, "tail.0.weight": torch.zeros(3)})
