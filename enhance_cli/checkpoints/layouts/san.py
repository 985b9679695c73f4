"""SAN as its authors name it, with parameters that their forward never uses."""

from __future__ import annotations

import re

from enhance_cli.checkpoints.layouts.contract import (
    Recognised,
    Tensors,
    Wanted,
    count,
    enlargement,
    in_levels,
    shape,
)

MARKS = {
    "gamma",
    "head.0.weight",
    "RG.0.rcab.0.conv_first.0.weight",
    "RG.0.soca.conv_du.0.weight",
    "non_local.non_local.phi.0.weight",
}
DEAD = re.compile(r"RG\.\d+\.gamma|conv_last\..*|non_local\.soca\..*")


def san(tensors: Tensors, wanted: Wanted) -> Recognised | None:
    """The authors' keys, which are those of our network and some more."""
    if not set(tensors) >= MARKS:
        return None
    dropped = tuple(key for key in tensors if DEAD.fullmatch(key))
    narrow, n_feats = shape(tensors, "RG.0.soca.conv_du.0.weight")[:2]
    return Recognised(
        title="SAN (authors' keys)",
        arch="san",
        parameters={
            "scale": enlargement(tensors),
            "n_groups": count(tensors, "RG.{}.conv_last.weight"),
            "n_blocks": count(tensors, "RG.0.rcab.{}.conv_first.0.weight"),
            "n_feats": n_feats,
            "reduction": n_feats // narrow,
        },
        tensors=in_levels({key: tensor for key, tensor in tensors.items() if key not in dropped}),
        tasks=("sr",),
        dropped=dropped,
    )


LAYOUTS = (san,)
