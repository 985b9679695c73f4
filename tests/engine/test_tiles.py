import numpy as np
import pytest

from enhance_cli.engine.tiles import FRESH, SMALLEST, Box, Room, choose, plan, round_up, smaller, work


@pytest.mark.parametrize(
    ("height", "width", "tile", "halo", "multiple"),
    [
        (1, 1, 0, 5, 1),
        (40, 24, 8, 3, 8),
        (100, 7, 30, 9, 1),
        (64, 64, 64, 12, 4),
        (136, 288, 33, 40, 8),
        (301, 77, 10, 4, 1),
    ],
)
def test_cores_cover_the_picture_once_and_halos_stop_at_its_border(height, width, tile, halo, multiple):
    covered = np.zeros((height, width), int)
    for piece in plan(height, width, tile, halo, multiple):
        core, padded = piece.core, piece.padded
        covered[core.rows, core.columns] += 1
        assert 0 <= padded.top <= core.top < core.bottom <= padded.bottom <= height
        assert 0 <= padded.left <= core.left < core.right <= padded.right <= width
        for box in (core, padded):
            assert not any(n % multiple for n in (box.top, box.left, box.bottom, box.right))
        assert padded.top == 0 or core.top - padded.top >= halo
        assert padded.left == 0 or core.left - padded.left >= halo
        assert padded.bottom == height or padded.bottom - core.bottom >= halo
        assert padded.right == width or padded.right - core.right >= halo
        if tile:
            assert padded.bottom - padded.top <= round_up(tile, multiple) + 2 * round_up(halo, multiple)
    assert (covered == 1).all()


@pytest.mark.parametrize("width", range(80, 400, 8))
def test_all_tiles_have_one_size_and_no_core_is_empty(width):
    cut = plan(200, width, 40, 10, 8)
    assert len({(piece.padded.bottom - piece.padded.top, piece.padded.area) for piece in cut}) == 1
    assert all(piece.core.area for piece in cut)


def test_sizes_are_evened_out_and_the_border_takes_no_halo():
    cores = [(tile.core.left, tile.core.right) for tile in plan(8, 110, 60, 10, 1)]
    padded = [(tile.padded.left, tile.padded.right) for tile in plan(8, 110, 60, 10, 1)]
    assert (cores, padded) == ([(0, 55), (55, 110)], [(0, 65), (45, 110)])


def test_what_fits_with_its_halo_is_not_cut():
    assert len(plan(8, 80, 60, 10, 1)) == 1
    assert len(plan(8, 81, 60, 10, 1)) == 2


def test_zero_means_the_whole_picture():
    (tile,) = plan(500, 700, 0, 9, 1)
    assert tile.core == tile.padded == Box(0, 0, 500, 700)


def test_unaligned_pictures_are_refused():
    with pytest.raises(ValueError, match="10x9"):
        plan(9, 10, 4, 1, 2)


def bound(pixels: int) -> Room:
    return Room(pixels, pixels)


def test_choice_fits_the_bound_and_leaves_small_pictures_whole():
    assert choose(100, 100, bound(10_000), 5, 1) == 0
    side = choose(1000, 1000, bound(250_000), 10, 8)
    assert side == choose(5000, 304, bound(250_000), 10, 8)
    assert side % 8 == 0
    assert 230_000 < (side + 2 * 16) ** 2 <= 250_000


def test_choice_never_wastes_nearly_all_on_the_halo():
    assert choose(4000, 4000, bound(10_000), 100, 1) == 100
    assert choose(4000, 4000, bound(100), 1, 1) == SMALLEST


def test_maps_are_kept_where_that_is_worth_the_halos():
    room = Room(1_000_000, 100_000)
    assert choose(900, 900, room, 10, 1) == 316 - 20
    assert choose(900, 900, room, 80, 1) == 0
    # Cut in two, each piece would be most of the picture.
    assert choose(317, 317, room, 40, 1) == 0
    assert choose(316, 316, room, 10, 1) == 0
    assert choose(2000, 2000, Room(50_000, 100_000), 10, 1) == 223 - 20
    # 362 pixels hold no multiple of 8 more than 360.
    assert choose(2000, 2000, Room(1_000_000, 362**2), 20, 8) == 360 - 2 * 24


@pytest.mark.parametrize("multiple", [1, 8])
@pytest.mark.parametrize("side", [0, 64, 200])
def test_work_is_the_area_of_all_tiles(side, multiple):
    cut = plan(800, 360, side, 20, multiple)
    area = sum(tile.padded.area for tile in cut)
    small, large = Room(10**6, cut[0].padded.area - 1), Room(10**6, cut[0].padded.area)
    assert work(800, 360, side, large, 20, multiple) == area
    assert work(800, 360, side, small, 20, multiple) == pytest.approx(FRESH * area)


def test_shrinking_ends():
    sides = [1000]
    while (side := smaller(sides[-1], 8)) is not None:
        sides.append(side)
    assert sides == [1000, 504, 256, 128, 64]
    assert smaller(100, 128) is None


def test_boxes():
    box = Box(4, 6, 10, 20)
    assert box.within(Box(1, 2, 50, 50)) == Box(3, 4, 9, 18)
    assert box.clipped(8, 100) == Box(4, 6, 8, 20)
    assert box.clipped(3, 100).bottom - box.clipped(3, 100).top == 0
    assert box.moved(-5) == Box(-1, 1, 5, 15)
    assert box.moved(-5).clipped(100, 12) == Box(0, 1, 5, 12)
    assert (box.area, box.clipped(3, 100).area, box.moved(-20).clipped(9, 9).area) == (84, 0, 0)
    assert box.scaled(3) == Box(12, 18, 30, 60)
