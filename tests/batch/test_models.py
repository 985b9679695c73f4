"""Which weights serve a picture."""

import pytest
from fake_networks import FakeRuntime

from enhance_cli.batch.models import Models
from enhance_cli.checkpoints import catalog
from enhance_cli.checkpoints.catalog import Weights
from enhance_cli.engine import network
from enhance_cli.engine.settings import EngineSettings
from enhance_cli.errors import ModelError, UsageError


def weights(name, task, scale=1, colour="rgb", condition_range=None, tier="default"):
    return Weights(
        name=name,
        file=f"{name}.safetensors",
        sha256=name * 8,
        arch="fake",
        task=task,
        scale=scale,
        colour=colour,
        condition_range=condition_range,
        tier=tier,
        licence="MIT",
        parameters=1,
        summary="",
    )


SHELF = (
    weights("x2", "sr", 2),
    weights("x4", "sr", 4),
    weights("x4-gray", "sr", 4, "y"),
    weights("noise", "denoise", condition_range=(0.0, 55.0)),
)


@pytest.fixture
def choose(monkeypatch):
    """`choose(task, name)` gives Models over SHELF; what opens networks is a fake."""
    monkeypatch.setattr(catalog, "catalog", lambda: SHELF)
    loaded = []

    def open_fake(source, settings):
        loaded.append(source.name)
        return FakeRuntime(lambda x: x)

    monkeypatch.setattr(network, "open_runtime", open_fake)

    def make(task, name=None):
        return Models(task, EngineSettings(device="cpu"), name=name, file=None)

    make.loaded = loaded
    return make


def test_the_smallest_network_that_enlarges_enough(choose):
    chosen = choose("sr")
    for factor, name in ((1.5, "x2"), (2.0, "x2"), (2.0000001, "x2"), (2.1, "x4"), (4.0, "x4")):
        assert chosen.model(gray=False, factor=factor).weights.name == name
    assert chosen.model(gray=True, factor=3.0).weights.name == "x4-gray"
    with pytest.raises(UsageError, match=r"4\.5"):
        chosen.model(gray=False, factor=4.5)
    assert choose.loaded == ["x2", "x4", "x4-gray"], "each once"


def test_candidates_are_all_that_may_serve(choose):
    names = {factor: [one.name for one in choose("sr").candidates(factor)] for factor in (2.0, 3.0, None)}
    assert names == {2.0: ["x2"], 3.0: ["x4", "x4-gray"], None: ["x2", "x4", "x4-gray"]}
    assert choose.loaded == []


def test_a_tier_is_served_by_the_nearest_that_there_is(choose, monkeypatch):
    shelf = (*SHELF, weights("x4-fast", "sr", 4, tier="fast"), weights("x4-own", "sr", 4, tier=None))
    monkeypatch.setattr(catalog, "catalog", lambda: shelf)

    def names(tier):
        chosen = choose("sr", tier)
        assert chosen.fixed_name is None
        assert chosen.fixed_scale is None
        return [chosen.model(gray=False, factor=factor).weights.name for factor in (2.0, 4.0)]

    assert names("fast") == ["x2", "x4-fast"]
    assert names("best") == names("default") == names(None) == ["x2", "x4"]


def test_photographs_take_the_next_photo_model_and_no_other(choose, monkeypatch):
    shelf = (*SHELF, weights("x4-photo", "sr", 4, tier="photo"))
    monkeypatch.setattr(catalog, "catalog", lambda: shelf)
    assert choose("sr", "photo").model(gray=False, factor=2.0).weights.name == "x4-photo"
    assert choose("sr").model(gray=False, factor=4.0).weights.name == "x4"
    with pytest.raises(ModelError, match="no photo model for denoise"):
        choose("denoise", "photo").model(gray=True, factor=1.0)


def test_a_name_fixes_the_weights(choose):
    chosen = choose("sr", "x4")
    assert (chosen.fixed_name, chosen.fixed_scale) == ("x4", 4)
    assert [one.name for one in chosen.candidates(2.0)] == ["x4"]
    assert chosen.model(gray=True, factor=2.0).weights.name == "x4"
    with pytest.raises(UsageError, match="--scale"):
        choose("sr", "x2").model(gray=False, factor=3.0)


def test_tasks_without_scale(choose):
    chosen = choose("denoise")
    assert chosen.fixed_scale is None
    model = chosen.model(gray=True, factor=1.0)
    assert model.weights.name == "noise"
    assert choose("denoise", "noise").fixed_scale is None


def test_weights_of_another_task(choose):
    with pytest.raises(ModelError, match="for denoise, not for sr"):
        choose("sr", "noise")
    with pytest.raises(ModelError, match="no model for deblur"):
        choose("deblur").candidates(1.0)
