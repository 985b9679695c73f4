import numpy as np
import pytest

from enhance_cli.engine.colour import Resampler, fill_hidden, from_network, to_network
from enhance_cli.engine.tiles import Box
from enhance_cli.imaging.colour import rgb_to_y, rgb_to_ycbcr, to_float
from enhance_cli.imaging.resize import imresize

rng = np.random.default_rng(0)


def test_at_its_own_size_a_resampler_is_exact():
    x = rng.integers(0, 65536, (7, 9, 3), dtype=np.uint16)
    np.testing.assert_array_equal(Resampler(x, 7, 9).read(Box(2, 3, 6, 9)), to_float(x)[2:6, 3:9])


def test_floats_beyond_the_range_are_passed_on():
    x = rng.normal(size=(4, 5, 1)).astype(np.float32)
    np.testing.assert_array_equal(Resampler(x, 4, 5).read(Box(0, 0, 4, 5)), x)


@pytest.mark.parametrize("size", [(20, 24), (25, 13), (5, 6), (10, 31), (1, 1)])
def test_boxes_of_another_size_agree_with_imresize(size):
    x = rng.random((10, 12, 3)).astype(np.float32)
    whole = imresize(x, size)
    view = Resampler(x, *size)
    middle = Box(size[0] // 3, size[1] // 4, size[0], max(1, size[1] // 2))
    for box in (Box(0, 0, *size), middle):
        np.testing.assert_allclose(view.read(box), whole[box.rows, box.columns], atol=1e-6)


@pytest.mark.parametrize("shape", [(5, 6), (1, 1), (1, 4), (2, 3)])
def test_beyond_the_end_the_picture_is_mirrored(shape):
    x = rng.random((*shape, 1)).astype(np.float32)
    expected = np.pad(x, ((0, 16 - shape[0]), (0, 8 - shape[1]), (0, 0)), mode="symmetric")
    np.testing.assert_array_equal(Resampler(x, *shape).read(Box(0, 0, 16, 8)), expected)
    np.testing.assert_array_equal(Resampler(x, *shape).read(Box(3, 2, 16, 8)), expected[3:, 2:])
    around = np.pad(x, ((8, 8), (8, 8), (0, 0)), mode="symmetric")
    np.testing.assert_array_equal(Resampler(x, *shape).read(Box(-8, -8, shape[0] + 8, shape[1] + 8)), around)


def test_shapes_for_each_kind_of_network():
    colour, gray = rng.random((4, 5, 3)).astype(np.float32), rng.random((4, 5, 1)).astype(np.float32)
    assert to_network(colour, "rgb").shape == (1, 3, 4, 5)
    assert to_network(colour, "y").shape == (1, 1, 4, 5)
    assert to_network(colour, "gray").shape == (3, 1, 4, 5)
    assert to_network(gray, "rgb").shape == (1, 3, 4, 5)
    np.testing.assert_array_equal(to_network(colour, "y")[0, 0], rgb_to_y(colour)[..., 0])
    np.testing.assert_array_equal(to_network(gray, "y"), to_network(gray, "gray"))


@pytest.mark.parametrize("kind", ["rgb", "y", "gray"])
@pytest.mark.parametrize("channels", [1, 3])
def test_there_and_back_is_the_same_picture(kind, channels):
    x = rng.random((4, 5, channels)).astype(np.float32)
    backdrop = x if kind == "y" and channels == 3 else None
    back = from_network(to_network(x, kind), kind, gray=channels == 1, backdrop=backdrop)
    np.testing.assert_allclose(back, x, atol=1e-6)


def test_a_luma_result_gets_the_chroma_of_the_backdrop():
    x, backdrop = rng.random((2, 4, 5, 3)).astype(np.float32)
    result = from_network(to_network(x, "y"), "y", gray=False, backdrop=backdrop)
    np.testing.assert_allclose(rgb_to_y(result), rgb_to_y(x), atol=1e-6)
    np.testing.assert_allclose(rgb_to_ycbcr(result)[..., 1:], rgb_to_ycbcr(backdrop)[..., 1:], atol=1e-6)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_hidden_colours_are_replaced_by_their_visible_neighbours(dtype):
    full = np.iinfo(dtype).max
    pixels = np.zeros((40, 300, 3), dtype)
    alpha = np.zeros((40, 300), dtype)
    pixels[:, :20] = (full, full // 2, 7)
    alpha[:, :20] = 1
    pixels[10, 50] = full // 3
    filled = fill_hidden(pixels, alpha)
    assert filled.dtype == dtype
    assert np.abs(filled.astype(int) - np.array([full, full // 2, 7])).max() <= full // 255
    np.testing.assert_array_equal(filled[:, :20], pixels[:, :20])


def test_filling_goes_on_from_the_nearest_edge():
    ramp = np.tile(np.arange(0, 240, 4, dtype=np.uint8)[:, None, None], (1, 30, 1))
    alpha = np.full((60, 30), 255, np.uint8)
    alpha[:, 15:] = 0
    filled = fill_hidden(np.where(alpha[..., None] > 0, ramp, 0).astype(np.uint8), alpha)
    assert np.abs(filled[:, 15].astype(int) - ramp[:, 15]).max() <= 2
    assert np.abs(filled.astype(int) - ramp).max() <= 40


def test_nothing_hidden_or_nothing_visible_is_left_alone():
    pixels = rng.integers(0, 256, (5, 5, 3), dtype=np.uint8)
    assert fill_hidden(pixels, np.ones((5, 5), np.uint8)) is pixels
    assert fill_hidden(pixels, np.zeros((5, 5), np.uint8)) is pixels
