import io

import numpy as np
import pytest
from PIL import Image

from enhance_cli.imaging.colour import (
    from_float,
    jpeg_ycbcr,
    rgb_to_y,
    rgb_to_ycbcr,
    to_float,
    ycbcr_to_rgb,
)

COLOURS = np.array([[[0, 0, 0], [1, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1]]], dtype=np.float64)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_every_level_survives_the_trip_through_float(dtype):
    levels = np.arange(np.iinfo(dtype).max + 1, dtype=dtype).reshape(-1, 1, 1)
    x = to_float(levels)
    assert x.dtype == np.float32
    assert (x.min(), x.max()) == (0, 1)
    assert np.array_equal(from_float(x, dtype), levels)


def test_rounding_is_half_up_and_clipped():
    x = np.array([-0.2, 0.49, 0.5, 1.5, 2.5, 254.5, 300]).reshape(-1, 1, 1) / 255
    assert from_float(x, np.uint8).ravel().tolist() == [0, 0, 1, 2, 3, 255, 255]


def test_from_float_leaves_its_input_alone():
    x = np.full((2, 2, 1), 0.3, np.float32)
    from_float(x, np.uint8)
    assert (x == np.float32(0.3)).all()


def test_studio_luma_of_the_primaries():
    y = rgb_to_y(COLOURS) * 255
    assert y.ravel() == pytest.approx([16, 235, 16 + 65.481, 16 + 128.553, 16 + 24.966])


def test_studio_chroma_of_the_primaries():
    ycbcr = rgb_to_ycbcr(COLOURS) * 255
    assert ycbcr[0, :2, 1:] == pytest.approx(np.full((2, 2), 128))
    assert ycbcr[0, 2] == pytest.approx([81.481, 90.203, 240])
    assert np.array_equal(ycbcr[..., :1], rgb_to_y(COLOURS) * 255)


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 1e-6), (np.float64, 1e-14)])
def test_transforms_undo_each_other(dtype, tolerance):
    rgb = np.random.default_rng(4).uniform(size=(9, 7, 3)).astype(dtype)
    assert rgb_to_ycbcr(rgb).dtype == dtype
    assert ycbcr_to_rgb(rgb_to_ycbcr(rgb)) == pytest.approx(rgb, abs=tolerance)


def test_jpeg_transform_is_the_one_of_libjpeg():
    rgb = np.random.default_rng(5).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    theirs = np.asarray(Image.fromarray(rgb).convert("YCbCr"), dtype=np.float64)
    assert np.abs(jpeg_ycbcr(rgb / 255) * 255 - theirs).max() <= 1


def test_jpeg_gray_is_what_a_gray_jpeg_stores():
    rgb = np.full((8, 8, 3), (200, 100, 50), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "JPEG", quality=100)
    with Image.open(buffer) as image:
        image.draft("L", None)
        stored = np.asarray(image)
    assert jpeg_ycbcr(rgb / 255)[0, 0, 0] * 255 == pytest.approx(stored[0, 0], abs=1)
