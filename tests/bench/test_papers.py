import pytest

from enhance_cli.bench.papers import published


@pytest.mark.parametrize(
    ("arch", "parameters", "where", "psnr"),
    [
        ("rcan", {}, ("sr", "Set5", "x4", False), 32.63),
        ("edsr", {"n_feats": 256}, ("sr", "Set5", "x2", False), 38.11),
        ("dncnn", {"n_layers": 20}, ("dejpeg", "Classic5", "q10", True), 29.40),
        ("dncnn", {"n_layers": 17}, ("denoise", "BSD68", "sigma 25", True), 29.23),
        ("ffdnet", {}, ("denoise", "CBSD68", "sigma 25", False), 31.21),
        ("vdsr", {}, ("sr", "BSD100", "x3", False), 28.83),
    ],
)
def test_figures_are_those_of_the_papers(arch, parameters, where, psnr):
    task, dataset, setting, gray = where
    cell = published(arch, parameters, task=task, dataset=dataset, setting=setting, gray=gray)
    assert cell.psnr == psnr
    assert cell.source


def test_self_ensemble_has_figures_of_its_own():
    one, eight = (
        published("rcan", {}, task="sr", dataset="Set5", setting="x2", gray=False, ensemble=plus)
        for plus in (False, True)
    )
    assert (one.method, eight.method) == ("RCAN", "RCAN+")
    assert eight.psnr > one.psnr


def test_networks_and_settings_of_no_paper():
    assert published("unet", {}, task="denoise", dataset="BSD68", setting="sigma 25", gray=True) is None
    assert published("rcan", {}, task="sr", dataset="Mine", setting="x2", gray=False) is None
