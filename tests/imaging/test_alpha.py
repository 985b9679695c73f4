import numpy as np
import pytest

from enhance_cli.imaging.alpha import alpha_is_soft, resized_alpha
from enhance_cli.imaging.resize import imresize


def disc(side, edge, full=255):
    """A disc whose edge is so many pixels wide, 0 for a hard one."""
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    inside = side * 0.35 - np.hypot(x, y)
    return np.round(np.clip(inside / edge + 0.5, 0, 1) * full if edge else (inside > 0) * full)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize(("edge", "soft"), [(0, False), (1, True), (2, True), (9, True)])
def test_a_smooth_edge_is_soft_and_a_cut_out_hard(edge, soft, dtype):
    assert alpha_is_soft(disc(48, edge, np.iinfo(dtype).max).astype(dtype)) is soft


def test_what_has_no_edge_is_not_soft():
    assert not alpha_is_soft(np.full((9, 9), 128, np.uint8))
    assert not alpha_is_soft(np.full((1, 1), 255, np.uint8))
    assert alpha_is_soft(np.tile(np.arange(64, dtype=np.uint8) * 4, (8, 1)))


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_hard_edges_get_no_halo(scale):
    alpha = np.full((20, 24), 40, np.uint8)
    alpha[5:15, 6:18] = 200
    size = (20 * scale, 24 * scale)
    plain, ours = imresize(alpha, size), resized_alpha(alpha, size)
    assert plain.min() < 35 and plain.max() > 205
    assert (ours.min(), ours.max()) == (40, 200)
    # Away from halos it is the same picture.
    assert np.array_equal(ours[plain == ours], plain[plain == ours])
    assert np.abs(ours.astype(int) - plain).max() < 30


def test_odd_sizes_and_shrinking():
    alpha = disc(31, 0).astype(np.uint8)
    assert resized_alpha(alpha, (47, 40)).shape == (47, 40)
    assert np.array_equal(resized_alpha(alpha, (31, 31)), alpha)
    assert np.array_equal(resized_alpha(alpha, (10, 60)), imresize(alpha, (10, 60)))
