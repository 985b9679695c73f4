import numpy as np
import pytest

from enhance_cli.engine.tiles import Box, plan, round_up


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


def test_boxes():
    box = Box(4, 6, 10, 20)
    assert box.within(Box(1, 2, 50, 50)) == Box(3, 4, 9, 18)
    assert box.clipped(8, 100) == Box(4, 6, 8, 20)
    assert box.clipped(3, 100).bottom - box.clipped(3, 100).top == 0
    assert box.moved(-5) == Box(-1, 1, 5, 15)
    assert box.moved(-5).clipped(100, 12) == Box(0, 1, 5, 12)
    assert (box.area, box.clipped(3, 100).area, box.moved(-20).clipped(9, 9).area) == (84, 0, 0)
    assert box.scaled(3) == Box(12, 18, 30, 60)
