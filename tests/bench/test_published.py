"""Every figure that papers print for doing nothing, on the sets that are at hand."""

from pathlib import Path

import pytest
from baselines import NOT_MET, TOLERANCE, Cell, cells, measured

CELLS = tuple(cells())


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_doing_nothing_scores_what_papers_print(shared: Path, cell: Cell):
    ours = measured(cell, shared / "data")
    for name, printed in cell.checked.items():
        assert ours[name] == pytest.approx(printed, abs=TOLERANCE[name]), name


def test_the_papers_are_walked():
    # SR x2, x3, x4, x8 on three sets; JPEG on two in gray and one in colour; a mosaic; noise on three.
    assert len(CELLS) == 4 * 3 + 4 * 3 + 1 + 3 * 3
    assert {(cell.dataset, cell.setting.name) for cell in CELLS} >= {cell[:2] for cell in NOT_MET}
