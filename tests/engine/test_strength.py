"""What a network is told about the damage."""

import numpy as np
import pytest

from enhance_cli.engine.models import Model
from enhance_cli.engine.progress import WeightsUsed
from enhance_cli.engine.restorer import Restorer
from enhance_cli.engine.settings import EngineSettings
from enhance_cli.engine.strength import UNTRACED_QUALITY, strength
from enhance_cli.imaging.picture import Picture


@pytest.fixture
def model(load):
    """`model(kind, range)` wants to be told `kind`."""

    def make(kind, condition_range=None):
        net = load(lambda x, condition: x, condition=kind)
        restorer = Restorer(net, EngineSettings(device="cpu"))
        return Model(restorer, condition_range, WeightsUsed("net", "", None))

    return make


def flat(**fields):
    return Picture(np.full((48, 48, 3), 128, np.uint8), **fields)


def noisy(sigma):
    noise = np.random.default_rng(0).normal(128, sigma, (96, 96, 3))
    return Picture(np.clip(noise + 0.5, 0, 255).astype(np.uint8))


def test_a_network_that_takes_none_is_told_nothing(model):
    assert strength(flat(), model(None), "deblur", None).value is None


def test_gray_noise_in_a_colour_network_is_warned_of(model):
    gray = Picture(np.full((48, 48, 1), 128, np.uint8))
    assert "take one for gray" in strength(gray, model(None), "denoise", None).warnings[0]
    assert strength(gray, model(None), "deblur", None).warnings == ()
    assert strength(flat(), model(None), "denoise", None).warnings == ()


def test_what_is_asked_for_wins(model):
    found = strength(flat(jpeg_quality=30), model("quality"), "dejpeg", 12.0)
    assert (found.value, found.source, found.warnings) == (12.0, "asked", ())


def test_quality_comes_from_the_tables_or_is_assumed(model):
    found = strength(flat(jpeg_quality=30), model("quality"), "dejpeg", None)
    assert (found.value, found.source) == (30.0, "tables")
    found = strength(flat(), model("quality"), "dejpeg", None)
    assert (found.value, found.source) == (UNTRACED_QUALITY, "assumed")
    assert "--quality" in found.warnings[0]


def test_sigma_is_estimated(model):
    found = strength(noisy(20), model("sigma"), "denoise", None)
    assert found.source == "estimate"
    assert found.value == pytest.approx(20, abs=2)


def test_values_are_brought_into_the_trained_range_with_a_warning(model):
    for asked, value in ((70.0, 50.0), (1.0, 5.0)):
        found = strength(flat(), model("sigma", (5.0, 50.0)), "denoise", asked)
        assert found.value == value
        assert "5..50" in found.warnings[0]
    assert strength(flat(), model("sigma", (5.0, 50.0)), "denoise", 50.0).warnings == ()
