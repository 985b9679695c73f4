from pathlib import Path

import pytest
import torch

from enhance_cli.arch.registry import ARCHITECTURES
from enhance_cli.checkpoints.catalog import catalog, find
from enhance_cli.checkpoints.reader import load_weights
from enhance_cli.errors import UsageError
from enhance_cli.train.loop import samplers
from enhance_cli.train.recipe import parse_budget, read_recipe
from enhance_cli.train.setup import warm_start

RECIPES = sorted((Path(__file__).parents[2] / "recipes").glob("*.toml"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda p: p.stem)
def test_every_recipe_reads_and_names_a_network_that_takes_its_parameters(path):
    recipe = read_recipe(path)
    assert recipe.name == path.stem
    assert parse_budget(recipe.budget) > 0
    architecture = ARCHITECTURES[recipe.arch]
    spec = architecture.spec(**recipe.parameters).for_task(recipe.task)
    assert (recipe.patch % spec.multiple) == 0
    with torch.device("meta"):
        module = architecture.build(**recipe.parameters)
    assert samplers(recipe, spec, module)


@pytest.mark.parametrize("path", RECIPES, ids=lambda p: p.stem)
def test_every_recipe_starts_from_weights_that_fit(path):
    recipe = read_recipe(path)
    if recipe.init is None or recipe.init not in {weights.name for weights in catalog()}:
        pytest.skip("starts from random weights, or from what is not trained yet")
    module = ARCHITECTURES[recipe.arch].build(**recipe.parameters)
    fresh = warm_start(module, load_weights(find(recipe.init)).module.state_dict())
    # Heads and tails may differ in channels and scale, and levels be added.
    assert len(fresh) < len(module.state_dict()) / 2


def test_unknown_key_is_named(tmp_path):
    path = tmp_path / "r.toml"
    path.write_text('name = "a"\nlearning_rate = 1\n')
    with pytest.raises(UsageError, match="learning_rate"):
        read_recipe(path)


def test_missing_key_is_named(tmp_path):
    path = tmp_path / "r.toml"
    path.write_text('name = "a"\n')
    with pytest.raises(UsageError, match="arch"):
        read_recipe(path)


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ('task = "blur"', "task"),
        ('loss = "huber"', "loss"),
        ('packs = "pack_a"', "packs"),
        ('patch = "48"', "patch"),
        ("batch = 0", "batch"),
        ("budget = 25", "budget"),
        ("init = 3", "init"),
        ('seed = "x"', "seed"),
        ("lr = inf", "lr"),
        ("held_out = true", "held_out"),
        ("lr = nan", "lr"),
        ("ema = 1.0", "ema"),
        ("scales = [2, 1.5]", "scales"),
        ("shrink = []", "shrink"),
        ("shrink = [1, 0.5]", "shrink"),
        ("photo = 1", "photo"),
        ("adversarial = -1", "adversarial"),
        ('clip_by = "size"', "clip_by"),
        ('schedule = "cosine"', "schedule"),
        ("warmup_steps = 0", "warmup_steps"),
        ("beta2 = 1", "beta2"),
        ("drops = 0", "drops"),
        ("drop = 1.5", "drop"),
        ("pack_weights = [0]", "pack_weights"),
        ("quality = [60, 5]", "quality"),
        ("sigma = 25", "sigma"),
        ("parameters = 3", "parameters"),
    ],
)
def test_value_out_of_range_is_named(tmp_path, line, key):
    path = tmp_path / "r.toml"
    path.write_text(line)
    with pytest.raises(UsageError, match=f"{key} = .* is not"):
        read_recipe(path)


def test_every_pack_wants_a_weight_or_none(tmp_path):
    path = tmp_path / "r.toml"
    text = 'name = "r"\narch = "vdsr"\ntask = "sr"\npatch = 8\nbatch = 1\nlr = 1\nbudget = "1s"\n'
    path.write_text(text + 'packs = ["a", "b"]\npack_weights = [1, 2]\n')
    assert read_recipe(path).pack_weights == (1, 2)
    path.write_text(text + 'packs = ["a", "b"]\npack_weights = [1, 2, 3]\n')
    with pytest.raises(UsageError, match="3 pack_weights for 2 packs"):
        read_recipe(path)


@pytest.mark.parametrize("text", ["name = ", "\x00"])
def test_broken_file_is_a_usage_error(tmp_path, text):
    path = tmp_path / "r.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"r\.toml"):
        read_recipe(path)


def test_missing_file_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match="Cannot read"):
        read_recipe(tmp_path / "none.toml")


def test_budget_units():
    assert [parse_budget(t) for t in ("90s", "25m", "1.5h")] == [90, 1500, 5400]


@pytest.mark.parametrize("text", ["", "m", "25", "-3m", "0s", "3d", "nanm", "infh", "1e999s"])
def test_budget_that_is_no_time(text):
    with pytest.raises(UsageError, match="Budget"):
        parse_budget(text)
