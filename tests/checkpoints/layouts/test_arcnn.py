import pytest
import torch

from enhance_cli.arch.arcnn import ARCNN
from enhance_cli.checkpoints.recognise import recognise
from enhance_cli.checkpoints.wanted import Wanted
from enhance_cli.errors import ModelError


@pytest.mark.parametrize("name", ["arcnn_yjn870", "fast_arcnn_yjn870"])
@torch.no_grad()
def test_public_file_computes_what_its_code_computes(reference_case, name):
    case = reference_case(name)
    found = recognise(case.weights)
    net = ARCNN(**found.parameters)
    net.load_state_dict(found.tensors)
    expected = case.tensors["output"]
    error = (net(case.tensors["input"]) - expected).abs().max()
    assert error <= case.tolerance * expected.abs().max()


@pytest.mark.parametrize("n_colours", [1, 3])
@pytest.mark.parametrize(("fast", "title"), [(False, "AR-CNN"), (True, "Fast AR-CNN")])
def test_both_networks_and_their_colours_are_told_apart(n_colours, fast, title):
    parameters = {"n_colours": n_colours, "fast": fast}
    found = recognise(ARCNN(**parameters).state_dict())
    assert (found.arch, found.parameters, found.tasks) == ("arcnn", parameters, ("dejpeg",))
    assert found.title.startswith(title)


def test_is_refused_for_another_task():
    with pytest.raises(ModelError, match="for dejpeg, not for denoise"):
        recognise(ARCNN().state_dict(), Wanted(task="denoise"))


def test_other_channels_than_one_or_three_are_refused():
    with pytest.raises(ModelError, match="takes 4 channels"):
        recognise(ARCNN(n_colours=4).state_dict())


def test_other_widths_do_not_load():
    tensors = {**ARCNN().state_dict(), "base.2.weight": torch.zeros(24, 64, 7, 7)}
    found = recognise(tensors)
    with pytest.raises(RuntimeError, match=r"base\.2\.weight"):
        ARCNN(**found.parameters).load_state_dict(found.tensors)
