"""ESPCN as ESPCN-pytorch (yjn870) names it."""

from __future__ import annotations

from math import isqrt

from enhance_cli.checkpoints.layouts.contract import Recognised, Tensors, Wanted, n_colours, shape


def yjn870(tensors: Tensors, wanted: Wanted) -> Recognised | None:
    """Two convolutions at the small size and one before the shuffle, whose channels tell the scale."""
    if not {"first_part.0.weight", "first_part.2.weight", "last_part.0.weight"} <= set(tensors):
        return None
    colours = n_colours(tensors, "first_part.0.weight")
    return Recognised(
        title="ESPCN (ESPCN-pytorch keys)",
        arch="espcn",
        parameters={
            "scale": isqrt(shape(tensors, "last_part.0.weight")[0] // colours),
            "n_colours": colours,
            "n_feats": [shape(tensors, f"first_part.{i}.weight")[0] for i in (0, 2)],
        },
        tensors=dict(tensors),
        tasks=("sr",),
    )


LAYOUTS = (yjn870,)
