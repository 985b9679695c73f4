"""RCAN as its authors and as BasicSR name it."""

from __future__ import annotations

from dataclasses import replace

from enhance_cli.checkpoints.layouts.contract import (
    Recognised,
    Tensors,
    Wanted,
    basicsr_frame,
    count,
    enlargement,
    in_levels,
    renamed,
    shape,
)

MARKS = {
    "head.0.weight",
    "body.0.body.0.body.0.weight",
    "body.0.body.0.body.3.conv_du.0.weight",
    "tail.1.weight",
}
BASICSR_MARKS = {
    "conv_first.weight",
    "body.0.residual_group.0.rcab.0.weight",
    "body.0.residual_group.0.rcab.3.attention.1.weight",
    "conv_after_body.weight",
}


def rcan(tensors: Tensors, wanted: Wanted) -> Recognised | None:
    """The authors' keys, which are those of our network."""
    if not set(tensors) >= MARKS:
        return None
    narrow, n_feats = shape(tensors, "body.0.body.0.body.3.conv_du.0.weight")[:2]
    return Recognised(
        title="RCAN (authors' keys)",
        arch="rcan",
        parameters={
            "scale": enlargement(tensors),
            "n_groups": count(tensors, "body.{}.body.0.body.0.weight"),
            "n_blocks": count(tensors, "body.0.body.{}.body.0.weight"),
            "n_feats": n_feats,
            "reduction": n_feats // narrow,
        },
        tensors=in_levels(tensors),
        tasks=("sr",),
    )


def basicsr_rcan(tensors: Tensors, wanted: Wanted) -> Recognised | None:
    """BasicSR's keys; its mean shift is a constant, and (x - mean) 255 inside makes 0..1 our 0..255."""
    if not set(tensors) >= BASICSR_MARKS:
        return None
    n_groups = count(tensors, "body.{}.conv.weight")
    n_blocks = count(tensors, "body.0.residual_group.{}.rcab.0.weight")
    block, ours = r"body\.(\d+)\.residual_group\.(\d+)\.rcab", r"body.\1.body.\2.body"
    found = rcan(
        renamed(
            tensors,
            (rf"{block}\.3\.attention\.1\.(.*)", rf"{ours}.3.conv_du.0.\3"),
            (rf"{block}\.3\.attention\.3\.(.*)", rf"{ours}.3.conv_du.2.\3"),
            (rf"{block}\.(.*)", rf"{ours}.\3"),
            (r"body\.(\d+)\.conv\.(.*)", rf"body.\1.body.{n_blocks}.\2"),
            *basicsr_frame(n_groups),
        ),
        wanted,
    )
    return found and replace(found, title="RCAN (BasicSR keys)")


LAYOUTS = (rcan, basicsr_rcan)
