import pytest
import torch

from enhance_cli.arch.fsrcnn import FSRCNN
from enhance_cli.checkpoints.recognise import recognise
from enhance_cli.checkpoints.wanted import Wanted
from enhance_cli.errors import ModelError


@pytest.mark.parametrize(
    "parameters",
    [
        {"scale": 3, "n_colours": 1, "n_feats": 56, "n_shrunk": 12, "n_mappings": 4},
        {"scale": 2, "n_colours": 3, "n_feats": 32, "n_shrunk": 5, "n_mappings": 1},
    ],
)
@torch.no_grad()
def test_shapes_tell_all_but_the_scale(parameters):
    theirs = FSRCNN(**parameters)
    wanted = Wanted(options={"scale": str(parameters["scale"])})
    found = recognise(theirs.state_dict(), wanted)
    assert (found.arch, found.parameters, found.tasks) == ("fsrcnn", parameters, ("sr",))
    assert found.notes == ()
    ours = FSRCNN(**found.parameters)
    ours.load_state_dict(found.tensors)
    x = torch.rand(1, parameters["n_colours"], 5, 6)
    torch.testing.assert_close(ours(x), theirs(x))


def test_scale_asked_for_is_taken_with_a_note():
    found = recognise(FSRCNN(scale=4).state_dict(), Wanted(scale=4.0))
    assert found.parameters["scale"] == 4
    assert "--arch-option scale=" in found.notes[0]


def test_option_goes_before_the_scale_asked_for():
    found = recognise(FSRCNN(scale=3).state_dict(), Wanted(scale=2, options={"scale": "3"}))
    assert found.parameters["scale"] == 3


@pytest.mark.parametrize("asked", [None, 1.5, 8])
def test_scale_must_be_told_where_nothing_tells_it(asked):
    with pytest.raises(ModelError, match="--arch-option scale="):
        recognise(FSRCNN(scale=2).state_dict(), Wanted(scale=asked))


@pytest.mark.parametrize(("told", "answer"), [("7", "scale=7"), ("2.5", "scale=2.5"), ("x3", "scale=x3")])
def test_scales_that_no_such_network_has_are_refused(told, answer):
    with pytest.raises(ModelError, match=answer):
        recognise(FSRCNN(scale=2).state_dict(), Wanted(options={"scale": told}))
