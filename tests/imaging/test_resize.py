import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from enhance_cli.imaging.colour import rgb_to_y
from enhance_cli.imaging.resize import imresize, weights
from enhance_cli.metrics.psnr import psnr


@pytest.mark.parametrize("edges", ["mirror", "replicate"])
@pytest.mark.parametrize(("n_in", "n_out"), [(1, 1), (1, 5), (7, 1), (9, 3), (9, 4), (4, 9), (50, 51)])
def test_weights_sum_to_one_and_stay_inside(n_in, n_out, edges):
    indices, taps = weights(n_in, n_out, None, edges)
    assert indices.shape == taps.shape == (n_out, taps.shape[1])
    assert taps.sum(axis=1) == pytest.approx(np.ones(n_out))
    assert indices.min() >= 0
    assert indices.max() < n_in


def test_doubling_uses_keys_kernel_at_quarters():
    indices, taps = weights(8, 16, 2.0, "mirror")
    # Output 8 lies at 3.75: distances 1.75, 0.75, 0.25, 1.25 from inputs 2..5.
    dense = np.zeros(8)
    np.add.at(dense, indices[8], taps[8])
    assert dense[2:6] * 128 == pytest.approx([-3, 29, 111, -9])
    assert dense[[0, 1, 6, 7]].tolist() == [0, 0, 0, 0]


def test_halving_by_hand():
    x = np.array([[0, 0, 0, 0, 128, 128, 128, 128, 128, 128]], dtype=np.float64)
    out = imresize(x, (1, 5))
    # The stretched kernel at distances 0.5, 1.5, 2.5, 3.5 has the weights 111, 29, -9, -3 (of 256).
    assert out[0, 2] == pytest.approx((111 + 111 + 29 - 9 - 3) / 2)
    assert out[0, 1] == pytest.approx((29 - 9 - 3) / 2)


@pytest.mark.parametrize("edges", ["mirror", "replicate"])
@pytest.mark.parametrize("size", [(3, 4), (12, 10), (24, 20), (17, 33)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_constant_pictures_stay_constant(size, edges, dtype):
    x = np.full((12, 10, 3), 201, dtype=dtype)
    out = imresize(x, size, edges=edges)
    assert out.shape == (*size, 3)
    assert out.dtype == dtype
    assert out == pytest.approx(np.full((*size, 3), 201), abs=1e-4)


@pytest.mark.parametrize("n_out", [20, 40, 60, 73])
def test_linear_ramps_stay_linear_away_from_the_edges(n_out):
    ramp = np.tile(np.arange(40.0), (3, 1))
    out = imresize(ramp, (3, n_out))[1]
    expected = (np.arange(n_out) + 0.5) * 40 / n_out - 0.5
    inside = (expected > 5) & (expected < 34)
    assert out[inside] == pytest.approx(expected[inside])


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (5, 7)])
def test_a_single_pixel_fills_any_size(size):
    out = imresize(np.full((1, 1, 3), 77, np.uint8), size)
    assert (out == 77).all()


def test_mirror_and_replicate_differ_at_the_edge_only():
    x = np.random.default_rng(6).integers(0, 256, (40, 40), dtype=np.uint8)
    mirror, replicate = (imresize(x, (20, 20), edges=edges) for edges in ("mirror", "replicate"))
    assert np.array_equal(mirror[2:-2, 2:-2], replicate[2:-2, 2:-2])
    assert not np.array_equal(mirror, replicate)


def test_mirroring_repeats_the_edge_pixel():
    x = np.random.default_rng(7).uniform(size=(12, 12))
    padded = np.pad(x, 8, mode="symmetric")
    assert imresize(padded, (56, 56))[16:-16, 16:-16] == pytest.approx(imresize(x, (24, 24)))


def test_same_size_changes_nothing():
    x = np.random.default_rng(8).integers(0, 65_536, (9, 11, 3), dtype=np.uint16)
    assert np.array_equal(imresize(x, (9, 11)), x)


def test_integers_are_rounded_and_clipped_after_the_first_pass():
    x = np.zeros((8, 8), np.uint8)
    x[:, 4:] = 255
    tall = imresize(x.T.copy(), (16, 8))
    floats = imresize(x.T.astype(np.float64), (16, 8))
    assert floats.max() > 255
    assert np.array_equal(tall, np.clip(np.floor(floats + 0.5), 0, 255))
    assert np.array_equal(imresize(imresize(x, (16, 8)), (16, 16)), imresize(x, (16, 16)))


def test_floats_keep_their_overshoot():
    x = np.repeat([0.0, 1.0], 6)[None].astype(np.float32)
    out = imresize(x, (1, 24))
    assert out.dtype == np.float32
    assert out.max() > 1
    assert out.min() < 0


def test_a_given_scale_beats_the_rounded_sizes():
    x = np.random.default_rng(9).uniform(size=(10, 10))
    assert not np.allclose(imresize(x, (4, 4), scale=1 / 3), imresize(x, (4, 4)))
    assert imresize(x, (4, 4), scale=1 / 3)[0, 0] == pytest.approx(imresize(x[:9, :9], (3, 3))[0, 0])


def test_empty_sizes_are_an_error():
    with pytest.raises(ValueError, match="0"):
        imresize(np.zeros((4, 4)), (0, 4))


def test_blocks_of_rows_keep_memory_small():
    x = np.zeros((500, 2000, 3), np.float32)
    tracemalloc.start()
    out = imresize(x, (1000, 4000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak - out.nbytes < 60e6


def published(folder: Path):
    """(input file, HR file, scale) of every stored MATLAB result in one folder."""
    for path in sorted(folder.rglob("*.png")):
        scale = int(path.parent.name.removeprefix("X"))
        if path.stem.endswith("_LR"):
            yield path, path.with_name(path.name.replace("_LR", "_HR")), scale
        elif not path.stem.endswith("_HR"):
            name = path.stem.removesuffix(f"x{scale}").removesuffix("_LRBI_")
            yield path, folder.parent / "Set5" / f"{name}.webp", scale


@pytest.mark.parametrize(
    ("folder", "edges", "count"),
    [("matlab_bicubic", "replicate", 33), ("matlab_bicubic_symmetric", "mirror", 15)],
)
def test_bit_for_bit_what_matlab_makes(shared, folder, edges, count):
    pairs = list(published(shared / "data/test" / folder))
    assert len(pairs) == count
    for small, large, scale in pairs:
        hr = np.asarray(Image.open(large))
        size = (hr.shape[0] // scale, hr.shape[1] // scale)
        hr = hr[: size[0] * scale, : size[1] * scale]
        ours = imresize(hr, size, scale=1 / scale, edges=edges)
        assert np.array_equal(ours, np.asarray(Image.open(small))), small


@pytest.mark.parametrize(("scale", "expected"), [(2, 33.68), (3, 30.40), (4, 28.43)])
def test_bicubic_set5_gives_the_known_figures(shared, scale, expected):
    figures = []
    for path in sorted((shared / "data/test/Set5").iterdir()):
        hr = np.asarray(Image.open(path))
        h, w = (side // scale for side in hr.shape[:2])
        hr = hr[: h * scale, : w * scale]
        back = imresize(imresize(hr, (h, w), scale=1 / scale), hr.shape[:2], scale=scale)
        shave = np.s_[scale:-scale, scale:-scale]
        figures.append(psnr(*(255 * rgb_to_y(x / 255.0)[shave] for x in (hr, back))))
    assert np.mean(figures) == pytest.approx(expected, abs=0.01)
