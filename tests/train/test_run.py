import json

import pytest
import torch
from skimage import data, io

from enhance_cli.checkpoints.reader import load_file
from enhance_cli.errors import DeviceError, UsageError
from enhance_cli.train.recipe import Recipe
from enhance_cli.train.run import RunSettings, choose_compute, train

RECIPE = Recipe(
    name="tiny",
    arch="compact",
    task="sr",
    packs=("pack",),
    held_out=1,
    patch=16,
    batch=2,
    lr=1e-3,
    budget="1s",
    parameters={"scale": 2, "n_feats": 4, "n_blocks": 1},
)


@pytest.fixture
def settings(tmp_path) -> RunSettings:
    (tmp_path / "pack").mkdir()
    for i in range(3):
        io.imsave(tmp_path / "pack" / f"{i}.png", data.astronaut()[i * 100 :][:96, :96], check_contrast=False)
    return RunSettings(data=tmp_path, out=tmp_path / "tiny.safetensors", budget=0.5, precision="float32")


def test_weights_file_tells_how_it_was_made(settings):
    report = train(RECIPE, settings, lambda report: None)
    net = load_file(settings.out)
    assert net.arch == "compact" and net.task == "sr" and net.spec.scale == 2
    assert json.loads(net.metadata["recipe"])["patch"] == 16
    assert json.loads(net.metadata["training"])["iterations"] == report.iterations > 0
    assert json.loads(net.metadata["data"])["pictures"] == 2
    assert json.loads(net.metadata["metrics"])["validation_psnr"] == pytest.approx(report.psnr, abs=1e-3)
    assert net.metadata["init"] == "none"


def test_warm_start_takes_what_fits_and_lists_the_rest(settings, tmp_path):
    train(RECIPE, settings, lambda report: None)
    other = Recipe(**{**RECIPE.__dict__, "parameters": {**RECIPE.parameters, "scale": 3}})
    second = RunSettings(
        **{**settings.__dict__, "out": tmp_path / "x3.safetensors", "init": str(settings.out), "budget": 0.01}
    )
    train(other, second, lambda report: None)
    net = load_file(second.out)
    assert json.loads(net.metadata["init"])["fresh_tensors"] == ["tail.bias", "tail.weight"]
    before = load_file(settings.out).module.state_dict()["head.weight"]
    assert torch.allclose(net.module.state_dict()["head.weight"], before, atol=5e-3)


def test_unknown_arch_is_a_usage_error(settings):
    with pytest.raises(UsageError, match="nothing"):
        train(Recipe(**{**RECIPE.__dict__, "arch": "nothing"}), settings, lambda report: None)


def test_device_that_is_not_there():
    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    with pytest.raises(DeviceError, match="cuda"):
        choose_compute("cuda", "auto")


def test_precision_that_does_not_exist():
    with pytest.raises(UsageError, match="int8"):
        choose_compute("cpu", "int8")
