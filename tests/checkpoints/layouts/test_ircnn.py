import pytest
import torch

from enhance_cli.arch.dncnn import DnCNN
from enhance_cli.arch.ircnn import IRCNN
from enhance_cli.checkpoints.recognise import recognise
from enhance_cli.checkpoints.wanted import Wanted
from enhance_cli.errors import ModelError


def of_levels(n_levels=25):
    """Tiny networks of which number i holds nothing but i."""
    shapes = {key: tensor.shape for key, tensor in IRCNN(n_feats=2).state_dict().items()}
    return {f"{i}.{key}": torch.full(size, float(i)) for i in range(n_levels) for key, size in shapes.items()}


def test_one_network_is_recognised_by_its_seven_layers(manifest_tensors, network):
    found = recognise(manifest_tensors("kair_ircnn_gray"))
    assert (found.arch, found.tasks) == ("ircnn", ("denoise",))
    assert found.parameters == {"n_colours": 1, "n_feats": 64}
    network(found)


def test_colours_and_features_come_from_the_shapes(network):
    found = recognise(IRCNN(n_colours=3, n_feats=5).state_dict())
    assert found.parameters == {"n_colours": 3, "n_feats": 5}
    network(found)


def test_matlab_files_are_recognised_too():
    tensors = IRCNN(n_feats=4).state_dict()
    theirs = {f"layers.{int(key.split('.')[1]) // 2}.{key.split('.')[2]}": t for key, t in tensors.items()}
    found = recognise(theirs)
    assert found.arch == "ircnn"
    assert all(torch.equal(found.tensors[key], tensor) for key, tensor in tensors.items())


@pytest.mark.parametrize(
    "parameters", [{"n_layers": 7, "batch_norm": True}, {"n_layers": 6}, {"n_layers": 8}]
)
def test_other_chains_stay_dncnn(parameters):
    assert recognise(DnCNN(n_feats=4, **parameters).state_dict()).arch == "dncnn"


@pytest.mark.parametrize(
    ("sigma", "index"), [(0, 0), (1, 0), (2, 0), (2.1, 1), (25, 12), (26, 12), (49, 24), (50, 24)]
)
def test_the_weakest_network_that_is_strong_enough_is_taken(network, sigma, index):
    for wanted in (Wanted(condition=sigma), Wanted(options={"sigma": str(sigma)})):
        found = recognise(of_levels(), wanted)
        assert all((tensor == index).all() for tensor in found.tensors.values())
        assert f"level {2 * index + 2} " in found.notes[0]
        network(found)


def test_the_option_comes_before_the_strength_of_the_picture():
    found = recognise(of_levels(), Wanted(condition=10, options={"sigma": "50"}))
    assert found.tensors["model.0.bias"][0] == 24


@pytest.mark.parametrize("sigma", ["50.5", "-1"])
def test_noise_that_no_network_is_for_is_refused(sigma):
    with pytest.raises(ModelError, match=r"levels 2, 4, \.\.\., 50.*give a sigma"):
        recognise(of_levels(), Wanted(options={"sigma": sigma}))


def test_without_a_strength_the_file_asks_for_it():
    with pytest.raises(ModelError, match="--arch-option sigma=N, or --sigma N where the command has it"):
        recognise(of_levels())


def test_other_numbers_of_networks_mean_unknown_levels():
    with pytest.raises(ModelError, match=r"holds several networks.*'0', '1', .*--arch-option prefix=NAME"):
        recognise(of_levels(24), Wanted(condition=10))
    found = recognise(of_levels(24), Wanted(options={"prefix": "7"}))
    assert found.tensors["model.0.bias"][0] == 7
