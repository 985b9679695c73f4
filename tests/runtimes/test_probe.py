"""What counts as the same result."""

import numpy as np
import pytest

from enhance_cli.arch.contract import ArchSpec
from enhance_cli.runtimes.probe import difference, is_faithful, probe

SPEC = ArchSpec(colour="rgb", halo=1, multiple=8, minimum=16, value_range=255.0, condition="sigma")


def test_the_picture_fits_the_network_and_has_texture_edges_and_flat_areas():
    picture = probe(SPEC, 90, 130, count=2)
    assert picture.x.shape == (2, 3, 96, 136)
    assert picture.x.dtype == np.float32
    assert 20 < picture.x.std() < 80
    assert picture.flat.any()
    flat = picture.x[:, :, picture.flat].reshape(2, 3, -1)
    assert len(np.unique(flat[0, 0])) == 4
    assert not np.array_equal(picture.x[0], picture.x[1])
    assert probe(SPEC, 1, 1).x.shape == (1, 3, 16, 16)


def test_results_are_the_same_within_the_bounds_and_no_further():
    picture = probe(SPEC, 128, 160)
    reference = np.clip(picture.x, 20, 230)
    busy = ~picture.flat
    rng = np.random.default_rng(0)
    noise = rng.standard_normal(reference.shape).astype(np.float32)

    def faithful(off):
        return is_faithful(reference + np.float32(off), reference, SPEC, picture.flat)

    assert faithful(0.2 * noise) and not faithful(0.3 * noise)
    assert not faithful(0.06)  # a tint
    one = np.zeros_like(reference)
    row, column = np.argwhere(busy)[-1]
    one[0, 0, row, column] = 7
    assert faithful(one) and not faithful(one * 1.3)
    flat = np.zeros_like(reference)
    row, column = np.argwhere(picture.flat)[0]
    flat[0, 0, row, column] = 0.9
    assert faithful(flat) and not faithful(flat * 1.3)


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_what_is_no_number_or_has_another_size_is_not_the_same(wrong):
    picture = probe(SPEC, 64, 64)
    y = picture.x.copy()
    y[0, 0, 0, 0] = wrong
    for other in (y, picture.x[..., 1:]):
        assert difference(other, picture.x, SPEC) == np.inf
        assert not is_faithful(other, picture.x, SPEC, picture.flat)
    assert difference(picture.x + 0.255, picture.x, SPEC) == pytest.approx(0.001, rel=0.01)
