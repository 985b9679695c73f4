"""MDSR as EDSR-PyTorch names it: one file for three scales."""

from __future__ import annotations

from enhance_cli.arch.mdsr import SCALES
from enhance_cli.checkpoints.layouts.contract import (
    Recognised,
    Tensors,
    Wanted,
    count,
    enlargement,
    in_levels,
    shape,
)
from enhance_cli.errors import ModelError

MARKS = {"head.0.weight", "pre_process.0.0.body.0.weight", "upsample.0.0.weight", "tail.0.weight"}


def mdsr(tensors: Tensors, wanted: Wanted) -> Recognised | None:
    """The authors' keys."""
    if not set(tensors) >= MARKS:
        return None
    branches = range(count(tensors, "upsample.{}.0.weight"))
    scales = tuple(enlargement(tensors, f"upsample.{i}.{{}}.weight") for i in branches)
    if scales != SCALES:
        raise ModelError(f"MDSR for scales {_listed(scales)}; only those for {_listed(SCALES)} can be used")
    scale, notes = _scale(wanted)
    return Recognised(
        title="MDSR (EDSR-PyTorch keys)",
        arch="mdsr",
        parameters={
            "scale": scale,
            "n_blocks": count(tensors, "body.{}.body.0.weight"),
            "n_feats": shape(tensors, "head.0.weight")[0],
        },
        tensors=in_levels(tensors, last="tail.0"),
        tasks=("sr",),
        scales=SCALES,
        notes=notes,
    )


def _scale(wanted: Wanted) -> tuple[int, tuple[str, ...]]:
    """The smallest that is enough, or the largest if none is: the rest is plain resizing."""
    if wanted.scale is None:
        return SCALES[0], (f"scale {SCALES[0]} of {_listed(SCALES)} taken; --scale N says otherwise",)
    return next((scale for scale in SCALES if scale >= wanted.scale), SCALES[-1]), ()


def _listed(scales: tuple[int, ...]) -> str:
    return ", ".join(map(str, scales))


LAYOUTS = (mdsr,)
