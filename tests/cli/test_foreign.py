"""Other people's weights, from the command line."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from enhance_cli.arch.registry import ARCHITECTURES
from enhance_cli.checkpoints.reader import save_file
from enhance_cli.engine import check
from enhance_cli.imaging.files import read as read_picture
from enhance_cli.imaging.mosaic import PATTERNS, thinned


@pytest.fixture
def authors(tmp_path, monkeypatch):
    """`authors(name, arch, **parameters)` saves a random network's bare state_dict."""
    monkeypatch.setattr(check, "fault_of", lambda x, y, task: None)

    def save(name, arch, **parameters):
        torch.manual_seed(0)
        torch.save(ARCHITECTURES[arch].build(**parameters).state_dict(), tmp_path / name)
        return name

    return save


def test_a_foreign_file_runs_and_one_line_says_what_it_is(enhance, picture, authors, size_of):
    weights = authors("RCAN_BIX2.pt", "rcan", scale=2, n_groups=1, n_blocks=1, n_feats=8, reduction=4)
    picture("a.png")
    outcome = enhance("sr", "--weights", weights, "a.png", "out.png")
    assert outcome.code == 0, outcome.err
    (line,) = [line for line in outcome.err.splitlines() if "RCAN_BIX2 is RCAN" in line]
    assert "n_feats 8" in line
    assert size_of(Path("out.png")) == (40, 32)
    again = enhance("sr", "--weights", weights, "--json", "a.png", "out.png")
    assert again.of("file")[0]["status"] == "current"
    assert again.of("start")[0]["weights"][0]["recognised"] in line


@pytest.mark.parametrize(("scale", "side"), [(2, 40), (2.5, 50), (3, 60), (4, 80)])
def test_a_file_with_several_scales_takes_the_one_asked_for(enhance, picture, authors, size_of, scale, side):
    weights = authors("mdsr.pt", "mdsr", scale=2, n_blocks=1, n_feats=4)
    picture("a.png")
    assert enhance("sr", "--weights", weights, "--scale", scale, "a.png", "out.png").code == 0
    assert size_of(Path("out.png"))[0] == side


def test_an_exact_size_takes_the_largest(enhance, picture, authors, size_of):
    weights = authors("mdsr.pt", "mdsr", scale=2, n_blocks=1, n_feats=4)
    picture("a.png")
    assert enhance("sr", "--weights", weights, "--size", "75x60", "a.png", "out.png").code == 0
    assert size_of(Path("out.png")) == (75, 60)


def test_one_file_serves_several_tasks_and_no_others(enhance, picture, authors, size_of):
    weights = authors("dncnn3.pth", "dncnn", n_layers=20, n_feats=4)
    picture("a.png")
    for task, width in (("denoise", 20), ("dejpeg", 20), ("sr", 40)):
        assert enhance(task, "--weights", weights, "a.png", f"{task}.png").code == 0
        assert size_of(Path(f"{task}.png"))[0] == width
    outcome = enhance("deblur", "--weights", weights, "a.png", "deblur.png")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert "not for deblur" in outcome.err
    assert not os.path.exists("deblur.png")


def test_what_shapes_do_not_show_is_asked_for(enhance, picture, authors):
    weights = authors("edsr.pt", "edsr", scale=2, n_blocks=1, n_feats=96)
    picture("a.png")
    outcome = enhance("sr", "--weights", weights, "a.png", "out.png")
    assert outcome.code == 2
    assert "--arch-option res_scale=0.1" in outcome.err
    assert enhance("sr", "--weights", weights, "--arch-option", "res_scale=0.5", "a.png", "out.png").code == 0
    other = enhance("sr", "--weights", weights, "--arch-option", "res_scale=0.1", "a.png", "out.png")
    assert other.code == 1, "not up to date: another network"
    wrong = ("res_scale", "res_scale=big", "res_scale=nan", "res_scale=1e999", "depth=3")
    for option, code in (("res_scale=0.1", 0), *((one, 2) for one in wrong)):
        outcome = enhance(
            "sr", "--weights", weights, "--arch-option", option, "a.png", "out.png", "--overwrite"
        )
        assert outcome.code == code, outcome.err


def test_an_option_without_weights_is_an_error(enhance, picture):
    picture("a.png")
    outcome = enhance("sr", "--arch-option", "res_scale=0.1", "a.png", "out.png")
    assert outcome.code == 2
    assert "--weights" in outcome.err


def test_the_noise_asked_for_chooses_among_the_networks_of_a_file(enhance, picture, authors, tmp_path):
    net = ARCHITECTURES["ircnn"].build(n_feats=4).state_dict()
    torch.save({str(level): net for level in range(25)}, tmp_path / "ircnn.pth")
    picture("a.png", gray=True)
    outcome = enhance("denoise", "--weights", "ircnn.pth", "--sigma", "15", "a.png", "out.png")
    assert outcome.code == 0, outcome.err
    assert "noise level 16" in outcome.err


def test_inspect_tells_what_a_file_holds(enhance, authors):
    weights = authors("net.pth", "dncnn", n_layers=5, n_feats=4)
    text = enhance("models", "inspect", weights).out.decode()
    assert "DnCNN" in text
    assert "n_layers 5" in text
    (event,) = enhance("models", "inspect", weights, "--json").events
    assert (event["event"], event["network"], event["tasks"][0]) == ("inspect", "dncnn", "denoise")
    assert event["gmac_per_output_megapixel"] == pytest.approx(9 * (4 + 3 * 16 + 4) / 1000, abs=0.06)


def test_inspect_knows_our_own_files(enhance, shelf):
    (event,) = enhance("models", "inspect", shelf / "tiny-denoise.safetensors", "--json").events
    assert (event["recognised"], event["licence"], event["told"]) == (None, "MIT", "sigma")


def test_a_file_that_is_no_weights_is_one_line(enhance, tmp_path):
    (tmp_path / "notes.txt").write_text("not weights")
    outcome = enhance("models", "inspect", "notes.txt")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert "notes.txt" in outcome.err


def test_convert_writes_a_file_that_gives_the_same_pictures(enhance, picture, authors):
    weights = authors("net.pth", "dncnn", n_layers=5, n_feats=4, n_colours=3)
    picture("a.png")
    assert enhance("models", "convert", weights, "net.safetensors").code == 0
    for name in ("net.pth", "net.safetensors"):
        assert enhance("denoise", "--weights", name, "a.png", f"{name}.png").code == 0
    assert np.array_equal(
        read_picture(Path("net.pth.png")).pixels, read_picture(Path("net.safetensors.png")).pixels
    )
    outcome = enhance("models", "convert", weights, "net.safetensors")
    assert (outcome.code, "--overwrite" in outcome.err) == (2, True)
    assert enhance("models", "convert", weights, "net.safetensors", "--overwrite").code == 0
    assert enhance("models", "convert", weights, "net.pt").code == 2


def test_convert_asks_which_of_several_scales_to_write(enhance, picture, authors, size_of):
    weights = authors("mdsr.pt", "mdsr", scale=2, n_blocks=1, n_feats=4)
    outcome = enhance("models", "convert", weights, "net.safetensors")
    assert (outcome.code, "scales 2, 3, 4; say with --scale N" in outcome.err) == (2, True)
    assert not os.path.exists("net.safetensors")
    assert enhance("models", "convert", weights, "net.safetensors", "--scale", "nan").code == 2
    assert enhance("models", "convert", weights, "net.safetensors", "--scale", "3").code == 0
    picture("a.png")
    assert enhance("sr", "--weights", "net.safetensors", "a.png", "out.png").code == 0
    assert size_of(Path("out.png"))[0] == 60


def test_a_converted_network_of_one_noise_level_takes_sigma_as_before(enhance, picture, tmp_path, authors):
    net = ARCHITECTURES["ircnn"].build(n_feats=4).state_dict()
    torch.save({str(level): net for level in range(25)}, tmp_path / "ircnn.pth")
    outcome = enhance("models", "convert", "ircnn.pth", "net.safetensors")
    assert (outcome.code, "say which with --arch-option sigma=N" in outcome.err) == (2, True)
    assert enhance("models", "convert", "ircnn.pth", "net.safetensors", "--arch-option", "sigma=15").code == 0
    picture("a.png", gray=True)
    outcome = enhance("denoise", "--weights", "net.safetensors", "--sigma", "15", "a.png", "out.png")
    assert outcome.code == 0, outcome.err


def test_what_a_file_says_of_itself_cannot_steer_the_terminal(enhance, tmp_path):
    save_file(
        tmp_path / "net.safetensors",
        ARCHITECTURES["dncnn"].build(n_layers=3, n_feats=4),
        arch="dncnn",
        parameters={"n_layers": 3, "n_feats": 4},
        task="denoise",
        metadata={"licence": "MIT\x1b[2J\nsha256 0000"},
    )
    text = enhance("models", "inspect", "net.safetensors").out.decode()
    (line,) = [line for line in text.splitlines() if line.startswith("licence")]
    assert line.endswith(r"MIT\x1b[2J\nsha256 0000")


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("stored", ["raw", "rgb"])
def test_demosaic_takes_raw_samples_and_mosaics(enhance, authors, tmp_path, pattern, stored):
    # RNAN adds what it finds to the picture: with nothing found, the mosaic itself comes out.
    net = ARCHITECTURES["rnan"].build(n_groups=2, n_feats=4)
    torch.nn.init.zeros_(net.tail[0].weight)
    torch.nn.init.zeros_(net.tail[0].bias)
    torch.save(net.state_dict(), tmp_path / "rnan.pt")
    clean = np.random.default_rng(0).integers(1, 256, (15, 21, 3)).astype(np.uint8)
    mosaic = thinned(clean, pattern)
    Image.fromarray(mosaic if stored == "rgb" else mosaic.sum(axis=2).astype(np.uint8)).save("m.png")
    Image.fromarray(clean).save("clean.png")
    flags = ["--pattern", pattern] if stored == "raw" else []
    outcome = enhance(
        "demosaic", "--weights", "rnan.pt", *flags, "m.png", "out.png", "--reference", "clean.png", "--json"
    )
    assert outcome.code == 0, outcome.err
    assert np.array_equal(read_picture(Path("out.png")).pixels, mosaic)
    (event,) = outcome.of("file")
    assert event["baseline"]["psnr"] > event["metrics"]["psnr"], "bilinear filling beats doing nothing"


def test_demosaic_needs_a_mosaic_and_its_pattern(enhance, picture, authors):
    weights = authors("rnan.pt", "rnan", n_groups=2, n_feats=4)
    picture("raw.png", gray=True)
    picture("full.png")
    for name, told in (("raw.png", "--pattern"), ("full.png", "no Bayer mosaic")):
        outcome = enhance("demosaic", "--weights", weights, name, f"out_{name}")
        assert outcome.code == 1
        assert told in outcome.err
        assert not os.path.exists(f"out_{name}")
