import pytest
import torch

from enhance_cli.arch.dncnn import DnCNN, spec

SAOYAN_EPS, OUR_EPS = 1e-5, 1e-4


def from_dncnn_layout(weights, *, eps):
    """The key map told in enhance_cli/arch/dncnn.py, for files with keys dncnn.N or module.dncnn.N."""
    ours = {}
    for key, tensor in weights.items():
        key = key.removeprefix("module.").replace("dncnn.", "model.")
        ours[key] = tensor + (eps - OUR_EPS) if key.endswith("running_var") else tensor
        if tensor.ndim == 4:
            ours.setdefault(key.replace("weight", "bias"), torch.zeros(tensor.shape[0]))
        if key.endswith("running_mean"):
            ours.setdefault(key.replace("running_mean", "num_batches_tracked"), torch.tensor(0))
    # A bias that the file does have comes after its weight and has replaced the zeros.
    return ours


@pytest.mark.parametrize(
    ("name", "reduced"),
    [("kair_dncnn", {"n_layers": 6}), ("kair_dncnn_with_bn", {"n_layers": 5, "batch_norm": True})],
)
@torch.no_grad()
def test_computes_what_the_authors_code_computes(case, name, reduced):
    reference = case(name)
    net = DnCNN(**reduced).eval()
    net.load_state_dict(reference.weights)
    reference.check(net(reference.tensors["input"]))


@torch.no_grad()
def test_published_file_of_the_authors(case, shared):
    reference = case("published_kair_dncnn_25")
    net = DnCNN(n_layers=17).eval()
    path = shared / "reference/published/cszn+KAIR/model_zoo/dncnn_25.pth"
    net.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    reference.check(net(reference.tensors["input"]))


@torch.no_grad()
def test_published_file_of_saoyan_which_returns_the_noise(case, shared):
    reference = case("published_saoyan_dncnn_s_25")
    net = DnCNN(n_layers=17, batch_norm=True).eval()
    path = shared / "reference/published/SaoYan+DnCNN-PyTorch/logs/DnCNN-S-25/net.pth"
    theirs = torch.load(path, map_location="cpu", weights_only=True)
    net.load_state_dict(from_dncnn_layout(theirs, eps=SAOYAN_EPS))
    x = reference.tensors["input"]
    reference.check(x - net(x))


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("kair_dncnn_gray_17", {}),
        ("kair_dncnn_gray_17_with_bn", {"batch_norm": True}),
        ("kair_dncnn_gray_20_blind_dncnn3", {"n_layers": 20}),
        ("kair_dncnn_color_20_blind", {"n_layers": 20, "n_colours": 3}),
        ("cszn_dncnn3_mat", {"n_layers": 20}),
        ("cszn_sigma25_mat", {"n_layers": 17}),
        ("cszn_gd_gray_blind_mat", {"n_layers": 20}),
        ("cszn_gd_color_blind_mat", {"n_layers": 20, "n_colours": 3}),
    ],
)
def test_keys_are_those_of_the_published_files(check_manifest, name, parameters):
    check_manifest(name, lambda: DnCNN(**parameters))


@pytest.mark.parametrize(
    ("name", "n_layers", "eps"),
    [("saoyan_dncnn_17", 17, 1e-5), ("saoyan_dncnn_20", 20, 1e-5), ("cszn_dncnn_pytorch", 17, 1e-4)],
)
def test_older_layouts_become_ours(manifest, name, n_layers, eps):
    theirs = {key: torch.zeros(shape) for key, (shape, _) in manifest(name)["keys"].items()}
    net = DnCNN(n_layers=n_layers, batch_norm=True)
    net.load_state_dict(from_dncnn_layout(theirs, eps=eps))


@torch.no_grad()
def test_another_epsilon_is_absorbed_by_the_variance():
    ours, theirs = (DnCNN(n_feats=4, n_layers=4, batch_norm=True).eval() for _ in range(2))
    for module in theirs.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eps = SAOYAN_EPS
            module.running_var.uniform_(1e-4, 1e-3)
    weights = {key.replace("model.", "dncnn."): tensor for key, tensor in theirs.state_dict().items()}
    ours.load_state_dict(from_dncnn_layout(weights, eps=SAOYAN_EPS))
    x = torch.rand(1, 1, 7, 9)
    torch.testing.assert_close(ours(x), theirs(x), rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_predicts_what_is_to_be_taken_away():
    net = DnCNN(n_colours=3, n_feats=4, n_layers=3)
    torch.nn.init.zeros_(net.model[-1].weight)
    net.model[-1].bias.copy_(torch.tensor([0.1, 0.2, 0.3]))
    x = torch.rand(2, 3, 5, 7)
    torch.testing.assert_close(net(x), x - torch.tensor([0.1, 0.2, 0.3]).view(3, 1, 1))


def test_halo_is_one_pixel_for_each_layer():
    assert spec().halo == 17
    assert spec(n_colours=3).colour == "rgb"
