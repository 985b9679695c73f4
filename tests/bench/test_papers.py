import pytest

from enhance_cli.bench.papers import published


@pytest.mark.parametrize(
    ("arch", "parameters", "where", "psnr"),
    [
        ("rcan", {"n_groups": 10, "n_blocks": 20, "n_feats": 64}, ("sr", "Set5", "x4", False), 32.63),
        ("edsr", {"n_blocks": 32, "n_feats": 256}, ("sr", "Set5", "x2", False), 38.11),
        (
            "dncnn",
            {"n_colours": 1, "n_feats": 64, "n_layers": 20},
            ("dejpeg", "Classic5", "q10", True),
            29.40,
        ),
        (
            "dncnn",
            {"n_colours": 1, "n_feats": 64, "n_layers": 17},
            ("denoise", "BSD68", "sigma 25", True),
            29.23,
        ),
        (
            "ffdnet",
            {"n_colours": 3, "n_feats": 96, "n_layers": 12},
            ("denoise", "CBSD68", "sigma 25", False),
            31.21,
        ),
        ("vdsr", {"n_colours": 1, "n_layers": 20, "n_feats": 64}, ("sr", "BSD100", "x3", False), 28.83),
    ],
)
def test_figures_are_those_of_the_papers(arch, parameters, where, psnr):
    task, dataset, setting, gray = where
    cell = figure(arch, parameters, task=task, dataset=dataset, setting=setting, gray=gray)
    assert cell.psnr == psnr
    assert cell.source


RCAN = {"n_groups": 10, "n_blocks": 20, "n_feats": 64, "scale": 2}


def figure(arch, parameters, task="sr", dataset="Set5", setting="x2", gray=False, **options):
    usual = {"sr": "matlab-y", "dejpeg": "jpeg-y", "denoise": "awgn", "deblur": "motion"}
    told = {"protocol": usual[task], "one_channel": gray, **options}
    return published(arch, parameters, task=task, dataset=dataset, setting=setting, gray=gray, **told)


def test_self_ensemble_has_figures_of_its_own():
    one, eight = (figure("rcan", RCAN, ensemble=plus) for plus in (False, True))
    assert (one.method, eight.method) == ("RCAN", "RCAN+")
    assert eight.psnr > one.psnr


def test_a_plus_in_a_name_is_not_always_an_ensemble():
    blurred = {"task": "deblur", "dataset": "GoPro", "setting": "motion"}
    names = {
        (n_res, plus): getattr(
            figure("mimo_unet", {"n_res": n_res, "n_feats": 32}, ensemble=plus, **blurred), "method", None
        )
        for n_res in (8, 20)
        for plus in (False, True)
    }
    assert names == {
        (8, False): "MIMO-UNet",
        (8, True): None,
        (20, False): "MIMO-UNet+",
        (20, True): "MIMO-UNet++",
    }


def test_a_network_of_another_size_is_not_the_papers():
    assert figure("rcan", {**RCAN, "n_groups": 2}) is None
    assert figure("edsr", {"n_blocks": 2, "n_feats": 8}) is None


def test_networks_and_settings_of_no_paper():
    assert figure("unet", {}, task="denoise", dataset="BSD68", setting="sigma 25", gray=True) is None
    assert figure("rcan", RCAN, dataset="Mine") is None


def test_a_network_for_colour_has_no_figure_for_gray_pictures_and_the_other_way_round():
    ffdnet = {"n_colours": 3, "n_feats": 96, "n_layers": 12}
    where = {"task": "denoise", "setting": "sigma 25"}
    assert figure("ffdnet", ffdnet, dataset="BSD68", gray=True, one_channel=False, **where) is None
    assert figure("ffdnet", ffdnet, dataset="CBSD68", gray=False, one_channel=False, **where)


def test_figures_belong_to_the_protocol_they_were_made_by():
    assert figure("rcan", RCAN, protocol="y-only")
    assert figure("rcan", RCAN, protocol="pil-y") is None
    rnan = {"n_groups": 10, "n_feats": 64}
    noisy = {"task": "denoise", "dataset": "BSD68", "setting": "sigma 50", "gray": True}
    assert figure("rnan", rnan, protocol="awgn-8bit", **noisy)
    assert figure("rnan", rnan, protocol="awgn", **noisy) is None
