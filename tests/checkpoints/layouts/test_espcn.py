import pytest
import torch

from enhance_cli.arch.espcn import ESPCN
from enhance_cli.checkpoints.recognise import recognise
from enhance_cli.errors import ModelError


@pytest.mark.parametrize(
    "parameters",
    [
        {"scale": 2, "n_colours": 1, "n_feats": [64, 32]},
        {"scale": 3, "n_colours": 3, "n_feats": [8, 4]},
        {"scale": 4, "n_colours": 1, "n_feats": [16, 16]},
    ],
)
@torch.no_grad()
def test_shapes_tell_scale_widths_and_colours(parameters):
    theirs = ESPCN(**parameters)
    found = recognise(theirs.state_dict())
    assert (found.arch, found.parameters, found.tasks) == ("espcn", parameters, ("sr",))
    ours = ESPCN(**found.parameters)
    ours.load_state_dict(found.tensors)
    x = torch.rand(1, parameters["n_colours"], 5, 6)
    torch.testing.assert_close(ours(x), theirs(x))


def test_channels_that_make_no_square_do_not_load():
    tensors = ESPCN(scale=2).state_dict()
    tensors["last_part.0.weight"] = torch.zeros(5, 32, 3, 3)
    tensors["last_part.0.bias"] = torch.zeros(5)
    found = recognise(tensors)
    with pytest.raises(RuntimeError, match="size mismatch"):
        ESPCN(**found.parameters).load_state_dict(found.tensors)


def test_other_channels_than_one_or_three_are_refused():
    with pytest.raises(ModelError, match="takes 2 channels"):
        recognise(ESPCN(scale=2, n_colours=2).state_dict())
