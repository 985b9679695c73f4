"""`enhance train` from the shell: runs without an end, and signals."""

import json
import os
import signal
from pathlib import Path

import pytest

from enhance_cli.checkpoints.reader import load_file
from enhance_cli.train.loop import Trainer

RECIPE = """
name = "tiny"
arch = "compact"
task = "sr"
packs = ["pack"]
held_out = 1
patch = 8
batch = 2
lr = 1e-3
budget = "10h"
schedule = "wsd"
parameters = {scale = 2, n_feats = 4, n_blocks = 1}
"""


@pytest.fixture
def train(enhance, picture, tmp_path):
    for name in "ab":
        picture(f"pack/{name}.png", 64, 48, seed=ord(name))
    (tmp_path / "recipes").mkdir()
    Path("recipes/tiny.toml").write_text(RECIPE)
    return lambda *options: enhance(
        "train", "recipes/tiny.toml", "--data", ".", "--precision", "float32", *options
    )


def steps_of(path: str) -> int:
    return json.loads(load_file(Path(path)).metadata["training"])["iterations"]


def test_a_signal_ends_a_sitting_and_the_run_goes_on(train, monkeypatch):
    step = Trainer.step

    def kill(self, share):
        if self.iterations % 5 == 4:
            os.kill(os.getpid(), signal.SIGTERM)
        return step(self, share)

    monkeypatch.setattr(Trainer, "step", kill)
    before = signal.getsignal(signal.SIGTERM)
    outcome = train("--keep", "recipes/runs/tiny.safetensors")
    assert (outcome.code, outcome.err.count("validation")) == (0, 1), outcome.err
    assert signal.getsignal(signal.SIGTERM) == before
    assert steps_of("recipes/runs/tiny.safetensors") == steps_of("tiny.safetensors") == 5
    assert train("--resume").code == 0
    assert steps_of("tiny.safetensors") == 10
    # Elsewhere nothing but the kept file is there.
    outcome = train("--resume", "--out", "other/tiny.safetensors")
    assert outcome.code == 0 and "5 steps" in outcome.err
    assert steps_of("other/tiny.safetensors") == 10


def test_a_cooldown_finds_the_run_beside_it_before_the_kept_one(train, monkeypatch):
    assert train("--budget", "1s", "--keep", "recipes/runs/tiny.safetensors").code == 0
    assert train("--budget", "1s", "--resume").code == 0
    first, second = steps_of("recipes/runs/tiny.safetensors"), steps_of("tiny.safetensors")
    outcome = train("--cooldown", "1s", "--out", "final.safetensors", "--quiet")
    assert (outcome.code, outcome.err) == (0, "")
    assert steps_of("final.safetensors") > second > first
    Path("tiny.safetensors.resume").unlink()
    outcome = train("--cooldown", "0.2s", "--out", "final.safetensors")
    assert outcome.code == 0 and f"{first} steps" in outcome.err


def test_a_run_that_is_nowhere_cannot_be_cooled_down(train):
    outcome = train("--cooldown", "1s", "--out", "final.safetensors")
    assert outcome.code == 2
    assert "tiny.safetensors.resume is not there" in outcome.err
