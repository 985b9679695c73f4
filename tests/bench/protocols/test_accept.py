"""Ready-made inputs of every protocol that keeps the size."""

import numpy as np
import pytest

from enhance_cli.bench.protocols.blur import MotionBlur
from enhance_cli.bench.protocols.contract import Setting
from enhance_cli.bench.protocols.jpeg import JpegColour, JpegLuma
from enhance_cli.bench.protocols.levin import LevinBlur
from enhance_cli.bench.protocols.mosaic import Mosaic
from enhance_cli.bench.protocols.noise import Noise
from enhance_cli.bench.protocols.real import Undamaged
from enhance_cli.errors import ImageError
from enhance_cli.imaging.colour import rgb_to_y
from enhance_cli.imaging.mosaic import NETWORK_PATTERN, thinned

RNG = np.random.default_rng(0)
COLOUR = RNG.integers(0, 256, (34, 43, 3), dtype=np.uint8)
OTHER = RNG.integers(0, 256, (34, 43, 3), dtype=np.uint8)
GRAY = COLOUR[..., :1]
SETTINGS = (
    JpegLuma(20),
    JpegColour(20),
    Noise(25),
    Noise(25, "awgn-8bit"),
    MotionBlur(),
    LevinBlur(1, ((1.0,),)),
    Undamaged("deblur"),
)


def named(setting: Setting) -> str:
    return setting.protocol


@pytest.mark.parametrize("setting", [*SETTINGS, Mosaic()], ids=named)
def test_other_sizes_are_refused(setting: Setting):
    given = thinned(COLOUR, NETWORK_PATTERN)[:, :42]
    with pytest.raises(ImageError, match="the input is 42x34 and the reference 43x34"):
        setting.accept(COLOUR, given)


@pytest.mark.parametrize("setting", SETTINGS, ids=named)
def test_the_input_is_taken_as_it_is(setting: Setting):
    for clean, given in ((COLOUR, OTHER), (GRAY, OTHER[..., 1:2])):
        case = setting.accept(clean, given)
        expected = setting.degrade(clean, 0).reference
        assert np.array_equal(case.reference, expected)
        assert np.array_equal(case.baseline, case.given)
        if given.shape == expected.shape:
            assert np.array_equal(case.given, given)


@pytest.mark.parametrize("setting", SETTINGS, ids=named)
def test_gray_stored_as_rgb_is_gray(setting: Setting):
    case = setting.accept(GRAY, GRAY.repeat(3, axis=2))
    assert np.array_equal(case.given, GRAY)
    assert np.array_equal(case.reference, GRAY)


@pytest.mark.parametrize("setting", SETTINGS, ids=named)
def test_colour_beside_gray_is_refused(setting: Setting):
    with pytest.raises(ImageError, match="the input is colour and the reference gray"):
        setting.accept(GRAY, OTHER)


@pytest.mark.parametrize("setting", SETTINGS[1:], ids=named)
def test_gray_beside_colour_is_refused(setting: Setting):
    with pytest.raises(ImageError, match="the input is gray and the reference colour"):
        setting.accept(COLOUR, GRAY)


def test_jpeg_luma_takes_the_luma_or_the_colours_beside_a_colour_reference():
    luma = np.floor(rgb_to_y(OTHER / 255) * 255 + 0.5).astype(np.uint8)
    for given in (OTHER, luma):
        assert np.array_equal(JpegLuma(20).accept(COLOUR, given).given, luma)


def test_a_mosaic_may_hold_zeros_or_the_samples_alone():
    made = Mosaic().degrade(COLOUR, 0)
    samples = made.given.sum(axis=2, keepdims=True, dtype=np.uint8)
    for given in (made.given, samples):
        case = Mosaic().accept(COLOUR, given)
        assert np.array_equal(case.given, made.given)
        assert np.array_equal(case.baseline, made.baseline)


def test_a_full_picture_or_another_pattern_is_no_mosaic():
    for given in (COLOUR, thinned(COLOUR, "rggb")):
        with pytest.raises(ImageError, match="no mosaic of G R above B G"):
            Mosaic().accept(COLOUR, given)
