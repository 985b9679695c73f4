import subprocess
import sys
from dataclasses import FrozenInstanceError
from typing import get_args

import pytest

from enhance_cli.arch import contract
from enhance_cli.arch.registry import ARCHITECTURES
from enhance_cli.checkpoints import catalog as module
from enhance_cli.checkpoints import store
from enhance_cli.checkpoints.catalog import catalog, find, of_tier
from enhance_cli.checkpoints.reader import load_weights
from enhance_cli.errors import ModelError


def test_records_hold_what_the_tables_say(write_catalog, table):
    write_catalog(table(), table(name='"other"', scale=None, condition_range=None, tier=None))
    first, second = catalog()
    assert (first.name, first.colour, first.parameters) == ("small", "gray", 200)
    assert first.condition_range == (5.0, 50.5)
    assert first.tier == "default"
    assert (second.scale, second.condition_range, second.tier) == (1, None, None)
    with pytest.raises(FrozenInstanceError):
        first.name = "x"


def test_an_empty_catalog_is_no_error(write_catalog):
    write_catalog()
    assert catalog() == ()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"sha256": None}, "'sha256' is missing"),
        ({"color": '"rgb"'}, "unknown key 'color'"),
        ({"sha256": '"abc"'}, "64 lower-case hex digits"),
        ({"sha256": f'"{"A" * 64}"'}, "64 lower-case hex digits"),
        ({"file": '"../small.safetensors"'}, "plain file name"),
        ({"file": '"small.pt"'}, "plain file name"),
        ({"task": '"paint"'}, "one of sr, dejpeg"),
        ({"colour": '"cmyk"'}, "one of y, gray, rgb"),
        ({"scale": "true"}, "positive whole number"),
        ({"scale": "0"}, "positive whole number"),
        ({"parameters": "1.5"}, "positive whole number"),
        ({"condition_range": "[1]"}, "two rising numbers"),
        ({"condition_range": "[9, 1]"}, "two rising numbers"),
        ({"tier": '"slow"'}, "one of fast, default, best, photo"),
        ({"name": '""'}, "non-empty string"),
    ],
)
def test_a_wrong_table_is_told_in_one_line_with_its_number(write_catalog, table, changes, told):
    write_catalog(table(name='"fine"'), table(**changes))
    with pytest.raises(ModelError, match=told) as caught:
        catalog()
    assert "weights 2" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["weights = 3", "[weights]\nname = 1", "[[nets]]", "x = ", "weights = [1]"])
def test_a_file_that_is_no_catalog(write_catalog, text):
    write_catalog(text)
    with pytest.raises(ModelError, match=r"catalog\.toml"):
        catalog()


def test_a_missing_catalog(folder):
    with pytest.raises(ModelError, match="no weights catalog"):
        catalog()


def test_two_weights_of_one_name(write_catalog, table):
    write_catalog(table(), table())
    with pytest.raises(ModelError, match="two weights are named 'small'"):
        catalog()


def test_finding_by_name_or_being_told_what_is_near(write_catalog, table):
    write_catalog(table(name='"sr-x4-fast"'), table(name='"denoise-gray"'))
    assert find("sr-x4-fast").name == "sr-x4-fast"
    with pytest.raises(ModelError, match=r"did you mean sr-x4-fast\?"):
        find("sr-x4-fats")
    with pytest.raises(ModelError, match=r"sr-x4-fast, denoise-gray"):
        find("qqq")


def test_the_default_of_a_task(write_catalog, table):
    write_catalog(
        table(name='"slow"', tier=None),
        table(name='"gray"'),
        table(name='"rgb"', colour='"rgb"'),
        table(name='"x2"', task='"sr"', scale="2", colour='"y"'),
        table(name='"x3 rgb"', task='"sr"', scale="3", colour='"rgb"', tier=None),
    )
    assert of_tier("default", "denoise", gray=True).name == "gray"
    assert of_tier("default", "denoise", gray=False).name == "rgb"
    assert of_tier("default", "sr", scale=2, gray=True).name == "x2"
    assert of_tier("default", "sr", scale=2, gray=False).name == "x2"
    assert of_tier("default", "sr", scale=3, gray=False).name == "x3 rgb"
    with pytest.raises(ModelError, match="scale 4; scales there are: 2, 3"):
        of_tier("default", "sr", scale=4, gray=False)
    with pytest.raises(ModelError, match="none"):
        of_tier("default", "deblur", gray=False)


def test_words_agree_with_the_contract_of_networks():
    assert set(get_args(contract.Colour)) == set(module.COLOURS)


def test_the_catalog_needs_no_torch():
    code = "import sys, enhance_cli.checkpoints.catalog; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def shipped():
    path = store.weights_folder() / store.CATALOG_NAME
    return module.read_catalog(path) if path.is_file() else ()


@pytest.mark.parametrize("weights", shipped(), ids=lambda weights: weights.name)
def test_shipped_weights_are_what_the_catalog_says(weights):
    store.verify(weights)
    net = load_weights(weights)
    assert (net.arch, net.task, net.name) == (weights.arch, weights.task, weights.name)
    assert weights.arch in ARCHITECTURES
    assert (net.spec.colour, net.spec.scale) == (weights.colour, weights.scale)
    assert sum(parameter.numel() for parameter in net.module.parameters()) == weights.parameters
    assert (net.spec.condition is None) == (weights.condition_range is None)
    assert net.licence == weights.licence


def test_a_tier_that_is_missing_is_served_by_the_nearest(write_catalog, table):
    write_catalog(
        table(name='"named"', tier=None),
        table(name='"slow"', tier='"best"'),
        table(name='"usual"'),
        table(name='"x2"', task='"sr"', scale="2", tier='"fast"'),
    )
    tiers = ("fast", "default", "best")
    assert [of_tier(tier, "denoise", gray=True).name for tier in tiers] == ["usual", "usual", "slow"]
    assert {of_tier(tier, "sr", scale=2, gray=True).name for tier in tiers} == {"x2"}


def test_gray_pictures_take_gray_weights_of_any_tier_and_colour_the_tier_it_asks_for(write_catalog, table):
    write_catalog(
        table(name='"gray"'),
        table(name='"colour"', colour='"rgb"', tier='"fast"'),
        table(name='"luma"', colour='"y"', tier=None),
    )
    for tier, gray, name in (
        ("fast", True, "gray"),
        ("default", True, "gray"),
        ("fast", False, "colour"),
        ("default", False, "gray"),
        ("best", False, "gray"),
    ):
        assert of_tier(tier, "denoise", gray=gray).name == name, (tier, gray)
    write_catalog(table(name='"colour"', colour='"rgb"'), table(name='"luma"', colour='"y"', tier=None))
    assert of_tier("default", "denoise", gray=True).name == "colour"


def test_photographs_have_weights_of_their_own(write_catalog, table):
    write_catalog(
        table(name='"usual"', task='"sr"', scale="2"),
        table(name='"photo"', task='"sr"', scale="4", tier='"photo"'),
        table(name='"noise"'),
    )
    assert of_tier("photo", "sr", scale=4, gray=True).name == "photo"
    assert module.scales("photo", "sr") == [4] and module.scales("fast", "sr") == [2]
    for tier, task, scale, problem in (
        ("photo", "denoise", 1, "no photo model for denoise; leave out"),
        ("default", "sr", 4, "no model for sr at scale 4; scales there are: 2"),
        ("photo", "sr", 2, "no photo model for sr at scale 2; scales there are: 4"),
    ):
        with pytest.raises(ModelError, match=problem):
            of_tier(tier, task, scale=scale, gray=True)


def test_each_shipped_task_scale_and_colour_has_one_of_each_tier():
    tiers = [(each.task, each.scale, each.colour, each.tier) for each in shipped() if each.tier]
    assert len(tiers) == len(set(tiers))
