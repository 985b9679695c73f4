import pytest
import torch

from enhance_cli.arch.registry import ARCHITECTURES
from enhance_cli.arch.rnan import RNAN, spec
from enhance_cli.checkpoints.recognise import recognise
from enhance_cli.checkpoints.wanted import Wanted
from enhance_cli.errors import ModelError


def load(found):
    net = ARCHITECTURES[found.arch].build(**found.parameters).eval()
    net.load_state_dict(found.tensors)
    return net


@pytest.mark.parametrize(
    ("name", "scale", "n_colours", "tasks"),
    [
        ("rnan_sr_x2", 2, 3, ("sr",)),
        ("rnan_sr_x3", 3, 3, ("sr",)),
        ("rnan_sr_x4", 4, 3, ("sr",)),
        ("rnan_dn_rgb", 1, 3, ("denoise", "demosaic")),
        ("rnan_demosaic", 1, 3, ("denoise", "demosaic")),
        ("rnan_dn_gray", 1, 1, ("denoise", "dejpeg")),
        ("rnan_car", 1, 1, ("denoise", "dejpeg")),
    ],
)
def test_published_files_are_recognised_and_fit(manifest_tensors, name, scale, n_colours, tasks):
    found = recognise(manifest_tensors(name))
    assert (found.title, found.arch, found.tasks) == ("RNAN (authors' keys)", "rnan", tasks)
    assert found.parameters == {"scale": scale, "n_colours": n_colours, "n_groups": 10, "n_feats": 64}
    load(found)


@torch.no_grad()
def test_a_recognised_file_computes_what_the_authors_code_computes(reference_case):
    reference = reference_case("rnan_dn_gray")
    found = recognise(reference.weights)
    assert found.parameters == {"scale": 1, "n_colours": 1, "n_groups": 3, "n_feats": 20}
    expected = reference.tensors["output"]
    error = (load(found)(reference.tensors["input"]) - expected).abs().max()
    assert error <= reference.tolerance * expected.abs().max()


@pytest.mark.parametrize(
    "parameters",
    [
        {"scale": 1, "n_colours": 1, "n_groups": 2, "n_feats": 4},
        {"scale": 1, "n_colours": 3, "n_groups": 4, "n_feats": 6},
        {"scale": 8, "n_colours": 3, "n_groups": 3, "n_feats": 4},
    ],
)
def test_parameters_are_read_from_the_shapes(parameters):
    assert recognise(RNAN(**parameters).state_dict()).parameters == parameters


@torch.no_grad()
def test_a_missing_mean_shift_is_the_nominal_one():
    net = RNAN(scale=2, n_groups=2, n_feats=4).eval()
    bare = {key: tensor for key, tensor in net.state_dict().items() if "mean" not in key}
    x = 255 * torch.rand(1, 3, 4, 6)
    torch.testing.assert_close(load(recognise(bare))(x), net(x))


def test_a_gray_file_takes_the_luma_of_jpegs_and_every_plane_of_noise():
    assert spec(n_colours=1).for_task("dejpeg").colour == "y"
    assert spec(n_colours=1).for_task("denoise").colour == "gray"


def test_a_file_is_refused_for_what_it_cannot_do():
    tensors = RNAN(n_groups=2, n_feats=4).state_dict()
    with pytest.raises(ModelError, match="denoise and demosaic, not for sr"):
        recognise(tensors, Wanted(task="sr"))


def test_a_damaged_head_is_refused():
    tensors = RNAN(n_groups=2, n_feats=4).state_dict()
    with pytest.raises(ModelError, match=r"'head\.0\.weight' has shape"):
        recognise({**tensors, "head.0.weight": torch.zeros(4)})
