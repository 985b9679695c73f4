import pytest
import torch

from enhance_cli.arch.srcnn import SRCNN
from enhance_cli.checkpoints.recognise import recognise
from enhance_cli.errors import ModelError


@torch.no_grad()
def test_public_file_computes_what_its_code_computes(reference_case):
    case = reference_case("srcnn_yjn870")
    found = recognise(case.weights)
    net = SRCNN(**found.parameters)
    net.load_state_dict(found.tensors)
    expected = case.tensors["output"]
    error = (net(case.tensors["input"]) - expected).abs().max()
    assert error <= case.tolerance * expected.abs().max()


@pytest.mark.parametrize(
    "parameters",
    [
        {"n_colours": 1, "kernels": [9, 5, 5], "n_feats": [64, 32]},
        {"n_colours": 3, "kernels": [9, 1, 5], "n_feats": [8, 4]},
    ],
)
def test_shapes_tell_kernels_widths_and_colours(parameters):
    found = recognise(SRCNN(**parameters).state_dict())
    assert (found.arch, found.parameters, found.tasks) == ("srcnn", parameters, ("sr",))
    assert "SRCNN-pytorch" in found.title


def test_three_convolutions_of_something_larger_are_not_taken_for_it():
    with pytest.raises(ModelError, match="no network known"):
        recognise({**SRCNN().state_dict(), "fc.weight": torch.zeros(10, 32)})


def test_other_channels_than_one_or_three_are_refused():
    with pytest.raises(ModelError, match="takes 4 channels"):
        recognise(SRCNN(n_colours=4).state_dict())


def test_weights_that_are_no_convolutions_are_refused():
    with pytest.raises(ModelError, match=r"conv2\.weight"):
        recognise({**SRCNN().state_dict(), "conv2.weight": torch.zeros(32, 64)})
