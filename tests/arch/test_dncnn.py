import pytest
import torch

from enhance_cli.arch.dncnn import DnCNN, spec


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
