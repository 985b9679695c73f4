import pytest
import torch

from enhance_cli.arch.dncnn import DnCNN
from enhance_cli.arch.fdncnn import FDnCNN
from enhance_cli.checkpoints.layouts.kair import LAYOUTS, SAOYAN_EPS
from enhance_cli.checkpoints.recognise import recognise
from enhance_cli.checkpoints.wanted import Wanted
from enhance_cli.errors import ModelError

ONE_LEVEL, BLIND = ("denoise", "dejpeg"), ("denoise", "dejpeg", "sr")
SMALL = {"n_feats": 4, "n_layers": 4}


def older_keys(net, *, biases):
    """The network under the keys `dncnn.N`, with those biases (they must be zero elsewhere)."""
    tensors = {key.replace("model.", "dncnn."): tensor for key, tensor in net.state_dict().items()}
    convolutions = [key for key, tensor in tensors.items() if tensor.ndim == 4]
    gone = {key.replace("weight", "bias") for key in convolutions} - set(biases)
    return {key: tensor for key, tensor in tensors.items() if key not in gone}


def normalised(*, eps, biases=()):
    """A network of the older codes whose batch norm feels its epsilon."""
    net = DnCNN(**SMALL, batch_norm=True).eval()
    for name, module in net.named_modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eps = eps
            module.running_var.uniform_(1e-4, 1e-3)
        elif isinstance(module, torch.nn.Conv2d) and name.replace("model", "dncnn") + ".bias" not in biases:
            torch.nn.init.zeros_(module.bias)
    return net


def matlab_keys(net):
    convolutions = [module for module in net.model if isinstance(module, torch.nn.Conv2d)]
    return {
        f"layers.{i}.{name}": tensor
        for i, module in enumerate(convolutions)
        for name, tensor in module.state_dict().items()
    }


@pytest.mark.parametrize(
    ("name", "title", "expected", "tasks"),
    [
        ("kair_dncnn_gray_17", "KAIR", (1, 17, False), ONE_LEVEL),
        ("kair_dncnn_gray_17_with_bn", "KAIR", (1, 17, True), ONE_LEVEL),
        ("kair_dncnn_gray_20_blind_dncnn3", "KAIR", (1, 20, False), BLIND),
        ("kair_dncnn_color_20_blind", "KAIR", (3, 20, False), ("denoise",)),
        ("saoyan_dncnn_17", "SaoYan", (1, 17, True), ONE_LEVEL),
        ("saoyan_dncnn_20", "SaoYan", (1, 20, True), BLIND),
        ("cszn_dncnn_pytorch", "cszn", (1, 17, True), ONE_LEVEL),
    ],
)
def test_published_files_are_recognised(manifest_tensors, network, name, title, expected, tasks):
    found = recognise(manifest_tensors(name))
    n_colours, n_layers, batch_norm = expected
    assert found.arch == "dncnn" and title in found.title
    assert found.parameters == {
        "n_colours": n_colours,
        "n_feats": 64,
        "n_layers": n_layers,
        "batch_norm": batch_norm,
    }
    assert found.tasks == tasks
    network(found)


@pytest.mark.parametrize(("name", "n_colours"), [("kair_fdncnn_gray", 1), ("kair_fdncnn_color", 3)])
def test_one_channel_more_in_than_out_is_fdncnn(manifest_tensors, network, name, n_colours):
    found = recognise(manifest_tensors(name))
    assert (found.arch, found.tasks) == ("fdncnn", ("denoise",))
    assert found.parameters == {"n_colours": n_colours, "n_feats": 64, "n_layers": 20}
    network(found)


@pytest.mark.parametrize("name", ["kair_dncnn", "kair_dncnn_with_bn"])
@torch.no_grad()
def test_computes_what_the_authors_code_computes(reference_case, network, name):
    case = reference_case(name)
    y, expected = network(recognise(case.weights))(case.tensors["input"]), case.tensors["output"]
    assert (y - expected).abs().max() <= case.tolerance * expected.abs().max()


@torch.no_grad()
def test_published_file_of_saoyan_which_returns_the_noise(shared, reference_case, network):
    case = reference_case("published_saoyan_dncnn_s_25")
    path = shared / "reference/published/SaoYan+DnCNN-PyTorch/logs/DnCNN-S-25/net.pth"
    theirs = torch.load(path, map_location="cpu", weights_only=True)
    found = recognise({key.removeprefix("module."): tensor for key, tensor in theirs.items()})
    x, expected = case.tensors["input"], case.tensors["output"]
    assert (x - network(found)(x) - expected).abs().max() <= case.tolerance * expected.abs().max()


@pytest.mark.parametrize(
    ("eps", "biases", "whose"), [(SAOYAN_EPS, (), "SaoYan"), (1e-4, ("dncnn.0.bias",), "cszn")]
)
@torch.no_grad()
def test_older_layouts_compute_the_same_with_their_own_epsilon(network, eps, biases, whose):
    theirs = normalised(eps=eps, biases=biases)
    found = recognise(older_keys(theirs, biases=biases))
    assert whose in found.title
    x = torch.rand(1, 1, 7, 9)
    torch.testing.assert_close(network(found)(x), theirs(x), rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_a_wrong_epsilon_would_show(network):
    theirs = normalised(eps=SAOYAN_EPS)
    tensors = older_keys(theirs, biases=()) | {"dncnn.0.bias": torch.zeros(4)}
    x = torch.rand(1, 1, 7, 9)
    assert not torch.allclose(network(recognise(tensors))(x), theirs(x), rtol=1e-5, atol=1e-5)


def test_files_without_batch_counters_load(network):
    tensors = {
        key: tensor
        for key, tensor in DnCNN(**SMALL, batch_norm=True).state_dict().items()
        if not key.endswith("num_batches_tracked")
    }
    network(recognise(tensors))


@pytest.mark.parametrize("net", [DnCNN(**SMALL), DnCNN(**SMALL, n_colours=3), FDnCNN(**SMALL)])
def test_matlab_files_count_convolutions_only(net):
    found = recognise(matlab_keys(net))
    assert "MatConvNet" in found.title
    assert found.parameters["n_layers"] == 4
    assert found.tensors.keys() == net.state_dict().keys()
    for key, tensor in net.state_dict().items():
        assert torch.equal(found.tensors[key], tensor)


def test_the_order_of_the_keys_says_nothing():
    tensors = DnCNN(n_feats=4, n_layers=8, n_colours=3).state_dict()
    backwards = {key: tensors[key] for key in sorted(tensors, reverse=True)}
    assert recognise(backwards).parameters == recognise(dict(tensors)).parameters


@pytest.mark.parametrize("n_colours", [2, 4])
def test_other_numbers_of_colours_are_no_network_known(n_colours):
    with pytest.raises(ModelError, match="no network known"):
        recognise(DnCNN(**SMALL, n_colours=n_colours).state_dict())


@pytest.mark.parametrize(
    "keys",
    [
        ("model.0.weight", "model.2.weight", "head.weight"),
        ("layers.0.weight", "layers.2.weight"),
        ("model.0.weight",),
        (),
    ],
)
def test_what_is_no_chain_is_left_to_others(keys):
    tensors = {key: torch.zeros(1, 1, 3, 3) for key in keys}
    assert all(layout(tensors, Wanted()) is None for layout in LAYOUTS)


def test_chains_of_larger_convolutions_are_left_to_others():
    tensors = DnCNN(**SMALL).state_dict() | {"model.2.weight": torch.zeros(4, 4, 5, 5)}
    assert all(layout(tensors, Wanted()) is None for layout in LAYOUTS)
