"""The scripts in tools/."""

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest
import torch

from enhance_cli.arch.unet import UNet
from enhance_cli.checkpoints import store
from enhance_cli.checkpoints.catalog import find
from enhance_cli.checkpoints.reader import LoadedNet, load_file, save_file

TOOLS = Path(__file__).resolve().parents[2] / "tools"
PARAMETERS = {"n_colours": 1, "n_feats": 4, "condition": "quality"}


def script(name: str) -> ModuleType:
    made = importlib.util.spec_from_file_location(name, TOOLS / f"{name}.py")
    assert made and made.loader
    module = importlib.util.module_from_spec(made)
    made.loader.exec_module(module)
    return module


def unet(path: Path, seed: int) -> LoadedNet:
    """A small gray network whose last convolution does something."""
    torch.manual_seed(seed)
    made = UNet(**PARAMETERS)
    torch.nn.init.normal_(made.tail.weight, std=0.05)
    save_file(path, made, arch="unet", parameters=PARAMETERS, task="dejpeg", metadata={"training": str(seed)})
    return load_file(path)


def test_colour_begins_with_what_is_known_of_gray(tmp_path, monkeypatch):
    gray = unet(tmp_path / "gray.safetensors", 1)
    module = script("colours")
    monkeypatch.setattr(module, "find", lambda name: name)
    monkeypatch.setattr(module, "load_weights", lambda name: gray)
    monkeypatch.setattr(sys, "argv", ["colours.py", "gray", "--out", str(tmp_path / "colour.safetensors")])
    module.main()
    colour = load_file(tmp_path / "colour.safetensors")
    assert (colour.parameters, colour.task) == ({**PARAMETERS, "n_colours": 3}, "dejpeg")
    x, quality = torch.rand(2, 3, 16, 24), torch.rand(2, 1, 1, 1)
    with torch.inference_mode():
        mean = x.mean(1, keepdim=True)
        change = gray.module(mean, quality) - mean
        torch.testing.assert_close(colour.module(x, quality), x + change, atol=1e-3, rtol=0)
    assert change.abs().mean() > 0.01


def test_only_gray_unets_become_colour(monkeypatch, tmp_path):
    module = script("colours")
    monkeypatch.setattr(sys, "argv", ["colours.py", "unet-denoise-rgb", "--out", str(tmp_path / "a")])
    with pytest.raises(SystemExit, match="unet-denoise-rgb is no unet of one colour"):
        module.main()
    assert not list(tmp_path.iterdir())


def test_the_average_tells_what_it_is_the_mean_of(tmp_path, monkeypatch):
    nets = [unet(tmp_path / f"{seed}.safetensors", seed) for seed in (1, 2)]
    files = [str(tmp_path / f"{seed}.safetensors") for seed in (1, 2)]
    monkeypatch.setattr(sys, "argv", ["average.py", *files, "--out", str(tmp_path / "mean.safetensors")])
    script("average").main()
    mean = load_file(tmp_path / "mean.safetensors")
    first, second, middle = (net.module.state_dict()["tail.weight"] for net in (*nets, mean))
    torch.testing.assert_close(middle, (first + second) / 2, atol=1e-4, rtol=0)
    assert json.loads(mean.metadata["averaged"]) == [net.sha256 for net in nets]
    assert mean.metadata["training"] == "2"


def test_networks_of_two_recipes_have_no_average(tmp_path, monkeypatch):
    paths = [store.weights_folder() / find(name).file for name in ("compact-sr-x2", "compact-sr-x3")]
    out = tmp_path / "mean.safetensors"
    monkeypatch.setattr(sys, "argv", ["average.py", *map(str, paths), "--out", str(out)])
    with pytest.raises(SystemExit, match="different networks"):
        script("average").main()
    assert not out.exists()


def test_recipes_are_trained_in_turn_and_one_that_fails_keeps_no_other(tmp_path):
    fake = tmp_path / "python"
    fake.write_text('#!/bin/sh\necho "$*"\ncase "$*" in *broken*) exit 2;; esac\n')
    fake.chmod(0o755)
    line = [
        TOOLS / "train_all.sh",
        "packs",
        tmp_path / "out",
        "one:1m",
        "broken:2s",
        "two:3s",
        "--",
        "--quiet",
    ]
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(line, env={**os.environ, "PATH": path}, capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    calls = [line.split() for line in done.stdout.splitlines()]
    assert [Path(call[3]).name for call in calls] == ["one.toml", "broken.toml", "two.toml"]
    assert calls[0][4:] == f"--data packs --budget 1m --out {tmp_path}/out/one.safetensors --quiet".split()
    assert (tmp_path / "out" / "two.log").read_text().split() == calls[2]
    # Again, after the first was finished and the second cut off.
    for left in ("one.safetensors", "broken.safetensors", "broken.safetensors.resume"):
        (tmp_path / "out" / left).touch()
    done = subprocess.run(line, env={**os.environ, "PATH": path}, capture_output=True, text=True)
    calls = [line.split() for line in done.stdout.splitlines()]
    assert [Path(call[3]).name for call in calls] == ["broken.toml", "two.toml"]
    assert [call[-2:] for call in calls] == [["--resume", "--quiet"], calls[1][-2:]]
    assert "--resume" not in calls[1]


def test_an_interrupt_ends_the_training_and_those_to_come(tmp_path):
    fake = tmp_path / "python"
    fake.write_text('#!/bin/sh\ntouch "$4.begun"\nsleep 30\n')
    fake.chmod(0o755)
    tools, recipes = tmp_path / "tools", tmp_path / "recipes"
    tools.mkdir()
    recipes.mkdir()
    shutil.copy(TOOLS / "train_all.sh", tools)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    line = [tools / "train_all.sh", "packs", tmp_path / "out", "one:1m", "two:3s"]
    running = subprocess.Popen(
        line, env={**os.environ, "PATH": path}, start_new_session=True, preexec_fn=_heed_interrupts
    )
    until = time.monotonic() + 20
    while not (recipes / "one.toml.begun").exists() and time.monotonic() < until:
        time.sleep(0.05)
    os.killpg(running.pid, signal.SIGINT)
    assert running.wait(20) == 130
    assert [path.name for path in recipes.glob("*.begun")] == ["one.toml.begun"]


def _heed_interrupts():
    # Who runs the tests in the background may ignore them, and a shell cannot trap what it inherits ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_without_a_recipe_the_usage_is_shown():
    done = subprocess.run([TOOLS / "train_all.sh", "packs", "out"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert "NAME:BUDGET" in done.stderr
