"""EDSR as EDSR-PyTorch and as BasicSR name it."""

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
from enhance_cli.errors import ModelError

FULL = (32, 256)
"""Blocks and features of the full network, which was published with res_scale 0.1."""
NARROW = 64
"""Up to this width nobody needed residual scaling."""


def edsr_pytorch(tensors: Tensors, wanted: Wanted) -> Recognised | None:
    """The authors' keys, shared by all code that grew from EDSR-PyTorch."""
    if not {"head.0.weight", "body.0.body.0.weight", "body.0.body.2.weight", "tail.1.weight"} <= set(tensors):
        return None
    if "body.0.body.1.weight" in tensors:
        return None
    n_blocks, n_feats = count(tensors, "body.{}.body.0.weight"), shape(tensors, "head.0.weight")[0]
    res_scale, notes = _res_scale(n_blocks, n_feats, wanted)
    return Recognised(
        title="EDSR (EDSR-PyTorch keys)",
        arch="edsr",
        parameters={
            "scale": enlargement(tensors),
            "n_blocks": n_blocks,
            "n_feats": n_feats,
            "res_scale": res_scale,
        },
        tensors=in_levels(tensors),
        tasks=("sr",),
        options=("res_scale",),
        notes=notes,
    )


def basicsr(tensors: Tensors, wanted: Wanted) -> Recognised | None:
    """BasicSR's keys; its mean shift is a constant, and (x - mean) 255 inside makes 0..1 our 0..255."""
    if not {"conv_first.weight", "body.0.conv1.weight", "conv_after_body.weight"} <= set(tensors):
        return None
    n_blocks = count(tensors, "body.{}.conv1.weight")
    found = edsr_pytorch(
        renamed(
            tensors,
            (r"body\.(\d+)\.conv1\.(.*)", r"body.\1.body.0.\2"),
            (r"body\.(\d+)\.conv2\.(.*)", r"body.\1.body.2.\2"),
            *basicsr_frame(n_blocks),
        ),
        wanted,
    )
    return found and replace(found, title="EDSR (BasicSR keys)")


def _res_scale(n_blocks: int, n_feats: int, wanted: Wanted) -> tuple[float, tuple[str, ...]]:
    """What the shapes do not show."""
    if "res_scale" in wanted.options:
        return wanted.number("res_scale", 1.0), ()
    if (n_blocks, n_feats) == FULL:
        return 0.1, ("res_scale 0.1 assumed, as published; --arch-option res_scale=N says otherwise",)
    if n_feats <= NARROW:
        return 1.0, ("res_scale 1 assumed, as published; --arch-option res_scale=N says otherwise",)
    raise ModelError(
        f"EDSR of {n_blocks} blocks with {n_feats} features is no published one and its residual scaling "
        "is not stored; say --arch-option res_scale=0.1, or what it was trained with"
    )


LAYOUTS = (edsr_pytorch, basicsr)
