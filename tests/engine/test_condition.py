"""What a network is told about the damage."""

import numpy as np
import pytest

from enhance_cli.arch.contract import ArchSpec
from enhance_cli.engine.condition import UNTRACED_QUALITY, find_condition, trained_range
from enhance_cli.imaging.picture import Picture
from enhance_cli.tasks import TASKS


def found_in(picture, kind, task, asked=None, trained=None):
    """For a colour network that wants to be told `kind`."""
    spec = ArchSpec(colour="rgb", halo=1, condition=kind)
    return find_condition(picture, TASKS[task], spec, model="net", asked=asked, trained=trained)


def flat(**fields):
    return Picture(np.full((48, 48, 3), 128, np.uint8), **fields)


def noisy(sigma):
    noise = np.random.default_rng(0).normal(128, sigma, (96, 96, 3))
    return Picture(np.clip(noise + 0.5, 0, 255).astype(np.uint8))


def test_a_network_that_takes_none_is_told_nothing():
    assert found_in(flat(), None, "deblur").value is None


def test_gray_noise_in_a_colour_network_is_warned_of():
    gray = Picture(np.full((48, 48, 1), 128, np.uint8))
    assert "take one for gray" in found_in(gray, None, "denoise").warnings[0]
    assert found_in(gray, None, "deblur").warnings == ()
    assert found_in(flat(), None, "denoise").warnings == ()


def test_what_is_asked_for_wins():
    found = found_in(flat(jpeg_quality=30), "quality", "dejpeg", 12.0)
    assert (found.value, found.source, found.warnings) == (12.0, "asked", ())


def test_quality_comes_from_the_tables_or_is_assumed():
    found = found_in(flat(jpeg_quality=30), "quality", "dejpeg")
    assert (found.value, found.source) == (30.0, "tables")
    found = found_in(flat(), "quality", "dejpeg")
    assert (found.value, found.source) == (UNTRACED_QUALITY, "assumed")
    assert "--quality" in found.warnings[0]


def test_sigma_is_estimated():
    found = found_in(noisy(20), "sigma", "denoise")
    assert found.source == "estimate"
    assert found.value == pytest.approx(20, abs=2)


def test_values_are_brought_into_the_trained_range_with_a_warning():
    for asked, value in ((70.0, 50.0), (1.0, 5.0)):
        found = found_in(flat(), "sigma", "denoise", asked, trained=(5.0, 50.0))
        assert found.value == value
        assert "5..50" in found.warnings[0]
    assert found_in(flat(), "sigma", "denoise", 50.0, trained=(5.0, 50.0)).warnings == ()


@pytest.mark.parametrize(
    ("text", "expected"), [("[5, 60]", (5.0, 60.0)), (None, None), ("5..60", None), ("[1]", None)]
)
def test_the_range_noted_in_a_file(text, expected):
    assert trained_range({"condition_range": text} if text else {}) == expected
