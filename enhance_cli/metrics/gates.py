"""Floors that figures must reach, for `--reference` and the benchmark alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from enhance_cli.metrics.measure import Metrics

MOST_NAMED = 5


def below(metrics: Metrics, floors: Mapping[str, float | None]) -> list[tuple[str, float]]:
    """Each figure that misses its floor, with the floor; a figure that is no number misses every one.

    `floors` are those of "psnr" and "ssim", which hold for psnr_y and ssim_y as well; None is no floor.
    """
    return [
        (name, floor)
        for kind, floor in floors.items()
        for name, value in metrics.items()
        if floor is not None and name in (kind, f"{kind}_y") and not value >= floor
    ]


def first_of(names: Sequence[str], separator: str = ", ") -> str:
    """The first of these names, and how many there are besides: "a, b and 4 more"."""
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return separator.join(names[:MOST_NAMED]) + more
