"""RNAN as its authors name it: one file for each scale, noise level or JPEG quality, and one for mosaics."""

from __future__ import annotations

from enhance_cli.arch.contract import Task
from enhance_cli.checkpoints.layouts.contract import (
    Recognised,
    Tensors,
    Wanted,
    count,
    enlargement,
    in_levels,
    shape,
)

BLOCK = "body.{}.body.0.RA_RB1.0.body.0.weight"
ENDS = 2
"""Non-local groups, one before and one behind the counted ones."""


def rnan(tensors: Tensors, wanted: Wanted) -> Recognised | None:
    """The authors' keys; whether noise, JPEG artefacts or a mosaic was learnt is not among them."""
    if "body_nl_low.0.body.0.RA_RB1.0.body.0.weight" not in tensors:
        return None
    n_feats, n_colours, *_ = shape(tensors, "head.0.weight")
    scale = enlargement(tensors)
    tasks: tuple[Task, ...] = ("denoise", "dejpeg") if n_colours == 1 else ("denoise", "demosaic")
    return Recognised(
        title="RNAN (authors' keys)",
        arch="rnan",
        parameters={
            "scale": scale,
            "n_colours": n_colours,
            "n_groups": count(tensors, BLOCK) + ENDS,
            "n_feats": n_feats,
        },
        tensors=dict(tensors) if scale == 1 else in_levels(tensors),
        tasks=tasks if scale == 1 else ("sr",),
    )


LAYOUTS = (rnan,)
