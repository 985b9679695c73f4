import io
import math

import numpy as np
import pytest
from PIL import Image

from enhance_cli.imaging.colour import from_float, rgb_to_y
from enhance_cli.metrics.psnr import psnr
from enhance_cli.metrics.psnrb import blocking, psnrb


def blocky(height=32, width=48):
    """Steps of 10 levels at every block edge across, and nowhere else."""
    return np.tile(10.0 * (np.arange(width) // 8), (height, 1))


def test_blocking_of_a_known_picture():
    # 5 of 47 gaps per row are edges; down, 3 of 31 gaps per column are edges without a step.
    edges = 5 * 32 + 3 * 48
    expected = (100 * 5 * 32 / edges) * 3 / 5
    assert blocking(blocky()) == pytest.approx(expected)


def test_a_picture_worked_out_by_hand():
    """Blocks of 2x2 in a 4x4 picture whose right half is 10 levels brighter, and one pixel 4 too bright."""
    reference = np.tile([10, 10, 20, 20], (4, 1))
    restored = reference.copy()
    restored[0, 0] = 14
    # Across a block edge: 4 steps of 10 along the rows and 4 of 0 along the columns, D_B = 400 / 8 = 50.
    # Elsewhere: 16 steps, two of them the 4 beside the bright pixel, D_Bc = 2 x 16 / 16 = 2.
    # eta = log2(2) / log2(4) = 1/2, BEF = (50 - 2) / 2 = 24; MSE = 16 / 16 = 1; 255^2 / 25 = 51^2.
    assert blocking(restored.astype(float), block=2) == pytest.approx(24)
    assert psnrb(reference, restored, block=2) == pytest.approx(20 * math.log10(51))


def test_a_picture_smooth_at_the_edges_has_no_blocking():
    x = np.zeros((32, 32))
    x[:, 4::8] = 50
    assert blocking(x) == 0
    assert psnrb(x + 1, x) == pytest.approx(psnr(x + 1, x))


def test_blocking_lowers_the_figure_of_the_restored_picture_only():
    smooth = np.full((32, 48), 30.0)
    assert psnrb(smooth, blocky()) < psnr(smooth, blocky())
    assert psnrb(blocky(), smooth) == pytest.approx(psnr(smooth, blocky()))


def test_equal_and_smooth_is_infinite_equal_and_blocky_is_not():
    assert psnrb(np.ones((16, 16)), np.ones((16, 16))) == math.inf
    assert math.isfinite(psnrb(blocky(), blocky()))


def test_pictures_without_a_block_edge_have_no_blocking():
    rng = np.random.default_rng(3)
    assert blocking(rng.uniform(size=(8, 8))) == 0
    assert blocking(rng.uniform(size=(1, 1))) == 0


def test_colour_pools_the_channels():
    x = blocky()
    assert blocking(np.stack([x, x, x], axis=2)) == pytest.approx(blocking(x))


def luma(path):
    pixels = np.asarray(Image.open(path))
    return pixels if pixels.ndim == 2 else from_float(rgb_to_y(pixels / 255.0), np.uint8)[..., 0]


@pytest.mark.parametrize(
    ("name", "quality", "expected"),
    [
        ("Classic5", 10, (27.82, 25.21)),
        ("Classic5", 20, (30.12, 27.50)),
        ("Classic5", 30, (31.48, 28.94)),
        ("Classic5", 40, (32.43, 29.92)),
        ("LIVE1", 10, (27.77, 25.34)),
        ("LIVE1", 40, (32.35, 29.97)),
    ],
)
def test_untouched_jpeg_gives_the_published_figures(shared, name, quality, expected):
    figures = []
    for path in sorted((shared / "data/test" / name).iterdir()):
        original, buffer = luma(path), io.BytesIO()
        Image.fromarray(original).save(buffer, "JPEG", quality=quality)
        coded = np.asarray(Image.open(buffer))
        figures.append((psnr(original, coded), psnrb(original, coded)))
    assert np.mean(figures, axis=0) == pytest.approx(expected, abs=0.006)
