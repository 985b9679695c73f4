import numpy as np
import pytest

from enhance_cli.errors import ReadError
from enhance_cli.imaging.mosaic import (
    MARGIN,
    MULTIPLE,
    NETWORK_PATTERN,
    PATTERNS,
    aligned,
    as_mosaic,
    interpolated,
    pattern_of,
    sampled,
    thinned,
)
from enhance_cli.imaging.picture import Metadata, Picture


def full(height=9, width=11, dtype=np.uint8):
    rng = np.random.default_rng(0)
    return rng.integers(1, np.iinfo(dtype).max, (height, width, 3)).astype(dtype)


def test_a_pattern_names_the_first_two_rows():
    assert sampled(2, 2, "grbg").argmax(axis=2).tolist() == [[1, 0], [2, 1]]
    assert (sampled(5, 7, "rggb").sum(axis=2) == 1).all()


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_mosaic_shows_its_pattern(pattern):
    mosaic = thinned(full(), pattern)
    assert pattern_of(mosaic) == pattern
    assert np.array_equal(mosaic.max(axis=2), np.where(sampled(9, 11, pattern), full(), 0).max(axis=2))


def test_a_full_picture_is_no_mosaic():
    assert pattern_of(full()) is None
    with pytest.raises(ReadError, match="no Bayer mosaic"):
        as_mosaic(Picture(full()), None)


@pytest.mark.parametrize("channels", [1, 3])
def test_raw_samples_need_the_pattern(channels):
    raw = Picture(full(dtype=np.uint16)[..., :1].repeat(channels, axis=2))
    with pytest.raises(ReadError, match="--pattern"):
        as_mosaic(raw, None)
    mosaic = as_mosaic(raw, "bggr").pixels
    assert mosaic.dtype == np.uint16
    assert np.array_equal(mosaic.sum(axis=2), raw.pixels[..., 0])
    assert pattern_of(mosaic) == "bggr"


def test_a_gray_profile_does_not_travel_into_colour():
    gray = Metadata(icc=b"\0" * 16 + b"GRAY" + b"\0" * 100)
    assert as_mosaic(Picture(full()[..., :1], metadata=gray), "rggb").metadata.icc is None


def test_another_pattern_than_the_pictures_own_is_refused():
    picture = Picture(thinned(full(), "rggb"))
    assert as_mosaic(picture, None) is as_mosaic(picture, "rggb") is picture
    with pytest.raises(ReadError, match="pattern rggb, not gbrg"):
        as_mosaic(picture, "gbrg")


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("size", [(9, 11), (12, 10), (40, 41)])
def test_alignment_gives_every_pattern_the_networks_corner_and_sides_that_fit(pattern, size):
    mosaic = thinned(full(*size), pattern)
    padded, rows, columns = aligned(mosaic)
    assert np.array_equal(padded[rows, columns], mosaic)
    assert pattern_of(padded) == NETWORK_PATTERN, "across the border as well"
    assert padded.shape[0] % MULTIPLE == padded.shape[1] % MULTIPLE == 0
    assert rows.start >= MARGIN <= padded.shape[0] - rows.stop


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (3, 2)])
def test_tiny_mosaics_are_padded_as_well(size):
    padded, rows, columns = aligned(thinned(full(*size), "rggb"))
    assert padded[rows, columns].shape == (*size, 3)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_bilinear_filling_keeps_samples_and_even_areas(pattern):
    flat = np.full((8, 9, 3), (200, 90, 30), np.uint8)
    assert np.array_equal(interpolated(thinned(flat, pattern)), flat)
    mosaic = thinned(full(), pattern)
    known = sampled(9, 11, pattern)
    assert np.array_equal(interpolated(mosaic)[known], mosaic[known])


def test_bilinear_filling_is_the_mean_of_the_neighbours():
    mosaic = thinned(full(), "grbg")
    around = [mosaic[y, x, 0].astype(int) for y, x in ((2, 3), (2, 5), (4, 3), (4, 5))]
    assert interpolated(mosaic)[3, 4, 0] == round(sum(around) / 4)
