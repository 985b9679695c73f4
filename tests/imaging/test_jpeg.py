import io

import numpy as np
import pytest
from PIL import Image
from skimage import data

from enhance_cli.imaging.jpeg import estimate_quality, quality_from_tables


def coded(pixels, quality):
    """The file that libjpeg makes of (H, W) or (H, W, 3)."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def decoded(file):
    pixels = np.asarray(Image.open(io.BytesIO(file)))
    return pixels[..., None] if pixels.ndim == 2 else pixels


PICTURES = {
    "colour": data.astronaut()[:256, 100:356],
    "gray": data.camera()[100:356, 100:356],
    "odd": data.coffee()[:201, :303],
}


@pytest.mark.parametrize("quality", range(1, 101))
def test_tables_of_libjpeg_give_the_exact_quality(quality):
    image = Image.open(io.BytesIO(coded(np.zeros((8, 8, 3), np.uint8), quality)))
    assert quality_from_tables(image.quantization) == quality


def test_tables_of_others_give_the_nearest_quality():
    table = Image.open(io.BytesIO(coded(np.zeros((8, 8), np.uint8), 40))).quantization[0]
    wobbled = [step + (1 if index % 2 else -1) for index, step in enumerate(table)]
    assert quality_from_tables({0: wobbled}) == pytest.approx(40, abs=1)


@pytest.mark.parametrize("quality", [10, 20, 30, 50, 70, 80, 90])
@pytest.mark.parametrize("name", PICTURES)
def test_quality_is_seen_in_the_pixels(name, quality):
    found = estimate_quality(decoded(coded(PICTURES[name], quality)))
    assert found == pytest.approx(quality, abs=2)


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_never_coded_show_no_trace(name):
    pixels = PICTURES[name]
    assert estimate_quality(pixels if pixels.ndim == 3 else pixels[..., None]) is None


def test_other_kinds_of_pictures_show_no_trace():
    rng = np.random.default_rng(10)
    assert estimate_quality(np.full((64, 64, 3), 128, np.uint8)) is None
    assert estimate_quality(rng.integers(0, 256, (64, 64, 1), dtype=np.uint8)) is None
    assert estimate_quality(np.tile(np.arange(64, dtype=np.uint8), (64, 1))[..., None]) is None
    assert estimate_quality(np.zeros((5, 200, 3), np.uint8)) is None


@pytest.mark.parametrize("quality", [10, 30, 50, 70])
@pytest.mark.parametrize(("top", "left"), [(4, 4), (1, 0), (0, 7), (3, 5)])
@pytest.mark.parametrize("name", PICTURES)
def test_quality_is_seen_after_cropping(name, top, left, quality):
    found = estimate_quality(decoded(coded(PICTURES[name], quality))[top:, left:])
    assert found == pytest.approx(quality, abs=2)


@pytest.mark.parametrize("row", range(40, 48))
def test_a_bar_beside_the_edges_of_blocks_does_not_hide_them(row):
    barred = PICTURES["gray"].copy()
    barred[:row] = 0
    assert estimate_quality(decoded(coded(barred, 50))[3:, 3:]) == pytest.approx(50, abs=2)


@pytest.mark.parametrize("offset", [0, 4, 7])
def test_drawings_on_a_grid_show_no_trace(offset):
    rng = np.random.default_rng(3)
    tiles = rng.integers(0, 256, (24, 24, 3), dtype=np.uint8)
    drawn = tiles.repeat(8, axis=0).repeat(8, axis=1)
    assert estimate_quality(drawn[offset:, offset:]) is None
    # Windows and buttons of few colours, their sides multiples of eight.
    page = np.full((256, 256, 3), 240, np.uint8)
    for colour in range(10):
        top, left, height, width = 8 * rng.integers(1, 16, 4)
        page[top : top + height, left : left + width] = (25 * colour, 120, 200 - 15 * colour)
    assert estimate_quality(page[offset:, offset:]) is None


def test_a_trace_in_a_part_of_the_picture_is_not_one_of_the_whole():
    pixels = decoded(coded(PICTURES["gray"], 30)).copy()
    pixels[32:] = PICTURES["gray"][32:, :, None]
    assert estimate_quality(pixels) is None
