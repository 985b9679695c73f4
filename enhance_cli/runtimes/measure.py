"""Compares runtimes on one network: do they agree with torch, and how fast are they here?

Which is faster must not depend on what else the machine does meanwhile.  So all take turns, each turn on a
picture of another size, and what counts is the median over the turns of how long each took beside the others;
with one thread in processor time, which other programs do not add to.  Real pictures come in many sizes, too,
and some runtimes prepare each size anew: each is run twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from statistics import median

from enhance_cli.arch.contract import ArchSpec
from enhance_cli.runtimes.contract import Runtime
from enhance_cli.runtimes.probe import probe

SMALL_SIDE, LARGE_SIDE = 64, 256
"""Sides of the pictures: the largest is taken with which a turn takes no longer than it should."""
TURN_SECONDS, ENOUGH_SECONDS = 0.35, 1.2
"""How long a turn of all runtimes should take at most, and after how long no other is begun."""
FEWEST_TURNS, MOST_TURNS = 3, 7
STEP = 8
"""By how much the sides differ from turn to turn."""
REPORTED_PIXELS = 100_000


def clock_for(threads: int) -> Callable[[], float]:
    """Seconds that other programs add nothing to, where that can be."""
    return time.process_time if threads == 1 else time.perf_counter


def milliseconds(runtimes: Mapping[str, Runtime], spec: ArchSpec, threads: int) -> dict[str, float]:
    """How long each takes for REPORTED_PIXELS of input; takes about two seconds in all."""
    clock = clock_for(threads)

    def turn(side: int) -> dict[str, float]:
        picture = probe(spec, side, side + STEP)
        taken = {}
        for name, runtime in runtimes.items():
            start = clock()
            for _ in range(2):
                runtime(picture.x, picture.condition)
            taken[name] = (clock() - start) / (2 * picture.flat.size)
        return taken

    side, first = SMALL_SIDE, turn(SMALL_SIDE)
    seconds = 2 * sum(first.values()) * side**2
    while side * 3 // 2 <= LARGE_SIDE and seconds * 9 / 4 < TURN_SECONDS:
        side, seconds = side * 3 // 2, seconds * 9 / 4
    # The first turn is for whatever is only done once; it must do where another would take too long.
    turns = [first] if seconds > ENOUGH_SECONDS else []
    start = clock()
    while seconds <= ENOUGH_SECONDS and len(turns) < MOST_TURNS:
        if len(turns) >= FEWEST_TURNS and clock() - start > ENOUGH_SECONDS:
            break
        turns.append(turn(side + STEP * len(turns)))
    # Within a turn all meet the same disturbances: shares of it are compared, not times of different turns.
    shares = {name: median(one[name] / sum(one.values()) for one in turns) for name in runtimes}
    scale = median(sum(one.values()) for one in turns) * REPORTED_PIXELS * 1000
    return {name: share * scale for name, share in shares.items()}
