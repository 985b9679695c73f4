"""MIMO-UNet and MIMO-UNet+ as their authors name them, which is how we name them too."""

from __future__ import annotations

from enhance_cli.checkpoints.layouts.contract import Recognised, Tensors, Wanted, count, shape

BLOCK = "Encoder.0.layers.{}.main.0.main.0.weight"
PLUS = 20
"""Residual blocks in each stage of MIMO-UNet+; MIMO-UNet has 8."""


def mimo_unet(tensors: Tensors, wanted: Wanted) -> Recognised | None:
    """The authors' keys."""
    if not {BLOCK.format(0), "AFFs.0.conv.0.main.0.weight", "SCM1.main.0.main.0.weight"} <= set(tensors):
        return None
    n_res = count(tensors, BLOCK)
    name = "MIMO-UNet+" if n_res == PLUS else "MIMO-UNet"
    return Recognised(
        title=f"{name} (authors' keys)",
        arch="mimo_unet",
        parameters={"n_res": n_res, "n_feats": shape(tensors, "feat_extract.0.main.0.weight")[0]},
        tensors=dict(tensors),
        tasks=("deblur",),
    )


LAYOUTS = (mimo_unet,)
