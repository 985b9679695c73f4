"""How large tiles are made."""

import pytest

from enhance_cli.engine.memory import SLOW_FACTOR, SMALLEST_SIDE, smaller_side, tile_side, work
from enhance_cli.engine.tiles import plan
from enhance_cli.runtimes.contract import PixelBudget


def bound(pixels: int) -> PixelBudget:
    return PixelBudget(pixels, pixels)


def test_choice_fits_the_bound_and_leaves_small_pictures_whole():
    assert tile_side(100, 100, bound(10_000), 5, 1) == 0
    side = tile_side(1000, 1000, bound(250_000), 10, 8)
    assert side == tile_side(5000, 304, bound(250_000), 10, 8)
    assert side % 8 == 0
    assert 230_000 < (side + 2 * 16) ** 2 <= 250_000


def test_choice_never_wastes_nearly_all_on_the_halo():
    assert tile_side(4000, 4000, bound(10_000), 100, 1) == 100
    assert tile_side(4000, 4000, bound(100), 1, 1) == SMALLEST_SIDE


def test_tiles_are_fast_where_that_is_worth_the_halos():
    budget = PixelBudget(1_000_000, 100_000)
    assert tile_side(900, 900, budget, 10, 1) == 316 - 20
    assert tile_side(900, 900, budget, 80, 1) == 0
    # Cut in two, each piece would be most of the picture.
    assert tile_side(317, 317, budget, 40, 1) == 0
    assert tile_side(316, 316, budget, 10, 1) == 0
    assert tile_side(2000, 2000, PixelBudget(50_000, 100_000), 10, 1) == 223 - 20
    # 362 pixels hold no multiple of 8 more than 360.
    assert tile_side(2000, 2000, PixelBudget(1_000_000, 362**2), 20, 8) == 360 - 2 * 24


@pytest.mark.parametrize("multiple", [1, 8])
@pytest.mark.parametrize("side", [0, 64, 200])
def test_work_is_the_area_of_all_tiles(side, multiple):
    cut = plan(800, 360, side, 20, multiple)
    area = sum(tile.padded.area for tile in cut)
    small, large = PixelBudget(10**6, cut[0].padded.area - 1), PixelBudget(10**6, cut[0].padded.area)
    assert work(800, 360, side, large, 20, multiple) == area
    assert work(800, 360, side, small, 20, multiple) == pytest.approx(SLOW_FACTOR * area)


def test_shrinking_ends():
    sides = [1000]
    while (side := smaller_side(sides[-1], 8)) is not None:
        sides.append(side)
    assert sides == [1000, 504, 256, 128, 64]
    assert smaller_side(100, 128) is None
