"""How large tiles may be: by the runtime's pixel budget, and by the memory that ran out."""

from __future__ import annotations

import math

from enhance_cli.engine.tiles import round_up, spans
from enhance_cli.runtimes.contract import PixelBudget

SMALLEST_SIDE = 64
"""No tile is chosen smaller than this, however large the network is."""
SLOW_FACTOR = 1.4
"""How many times as long a pixel takes beyond `PixelBudget.fast`; 1.0 to 1.8 measured, by network."""


def tile_side(height: int, width: int, budget: PixelBudget, halo: int, multiple: int) -> int:
    """Side of a core such that core and halo together are within the budget; 0 if the picture fits whole.

    Of the budget's two bounds that is taken with which the picture is less work: small tiles are mostly halo.
    Height and width are multiples of `multiple`.
    """
    bounds = budget.most, min(budget.most, budget.fast)
    sides = [_side_within(height, width, pixels, halo, multiple) for pixels in bounds]
    return min(sides, key=lambda side: work(height, width, side, budget, halo, multiple))


def work(height: int, width: int, side: int, budget: PixelBudget, halo: int, multiple: int) -> float:
    """Pixels that the network goes through in tiles of that side, in units of pixels that are fast."""
    reach = round_up(halo, multiple)
    rows, columns = (spans(length, side, reach, multiple) for length in (height, width))
    # All tiles have the size of the first.
    (_, down), (_, across) = rows[0], columns[0]
    area = (down.stop - down.start) * (across.stop - across.start)
    return len(rows) * len(columns) * area * (SLOW_FACTOR if area > budget.fast else 1)


def smaller_side(side: int, multiple: int) -> int | None:
    """The next side to try when memory ran out; None when there is nothing left to shrink."""
    if side <= max(SMALLEST_SIDE, multiple):
        return None
    return max(round_up(side // 2, multiple), SMALLEST_SIDE)


def _side_within(height: int, width: int, pixels: int, halo: int, multiple: int) -> int:
    if height * width <= pixels:
        return 0
    side = math.isqrt(pixels) // multiple * multiple - 2 * round_up(halo, multiple)
    # Below one halo, more than nine tenths of the work would be halo: rather exceed the bound.
    return max(side, round_up(max(halo, SMALLEST_SIDE), multiple))
