import pytest
import torch

from enhance_cli.arch.mimo_unet import MIMOUNet
from enhance_cli.arch.registry import ARCHITECTURES
from enhance_cli.checkpoints.recognise import recognise
from enhance_cli.checkpoints.wanted import Wanted
from enhance_cli.errors import ModelError


def load(found):
    net = ARCHITECTURES[found.arch].build(**found.parameters).eval()
    net.load_state_dict(found.tensors)
    return net


@pytest.mark.parametrize(
    ("name", "title", "n_res"), [("mimo_unet", "MIMO-UNet", 8), ("mimo_unet_plus", "MIMO-UNet+", 20)]
)
def test_published_files_are_recognised_and_fit(manifest_tensors, name, title, n_res):
    found = recognise(manifest_tensors(name))
    assert (found.title, found.arch, found.tasks) == (f"{title} (authors' keys)", "mimo_unet", ("deblur",))
    assert found.parameters == {"n_res": n_res, "n_feats": 32}
    load(found)


@torch.no_grad()
def test_a_recognised_file_computes_what_the_authors_code_computes(reference_case):
    reference = reference_case("mimo_unet")
    found = recognise(reference.weights)
    assert found.parameters == {"n_res": 1, "n_feats": 32}
    for i, output in enumerate(load(found)(reference.tensors["input"])):
        expected = reference.tensors[f"output.{i}"]
        assert (output - expected).abs().max() <= reference.tolerance * expected.abs().max()


def test_every_tensor_of_a_whole_file_lands_under_its_own_key(shared):
    path = shared / "reference/formats/mimo_unet_full_keys_constant.pkl"
    tensors = torch.load(path, weights_only=True)["model"]
    state = load(recognise(tensors)).state_dict()
    assert state.keys() == tensors.keys()
    for number, key in enumerate(tensors):
        assert (state[key] == number).all()


@pytest.mark.parametrize(("n_res", "n_feats"), [(1, 4), (3, 8), (20, 4)])
def test_parameters_are_read_from_the_shapes(n_res, n_feats):
    found = recognise(MIMOUNet(n_res=n_res, n_feats=n_feats).state_dict())
    assert found.parameters == {"n_res": n_res, "n_feats": n_feats}
    assert ("+" in found.title) == (n_res == 20)


def test_it_only_deblurs():
    with pytest.raises(ModelError, match="deblur, not for denoise"):
        recognise(MIMOUNet(n_res=1, n_feats=4).state_dict(), Wanted(task="denoise"))


def test_a_file_without_its_first_layer_is_refused():
    tensors = MIMOUNet(n_res=1, n_feats=4).state_dict()
    del tensors["feat_extract.0.main.0.weight"]
    with pytest.raises(ModelError, match=r"'feat_extract\.0\.main\.0\.weight' is missing"):
        recognise(tensors)
