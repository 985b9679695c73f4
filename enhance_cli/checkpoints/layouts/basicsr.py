"""The names of BasicSR: EDSR, RCAN, MSRResNet."""

from __future__ import annotations

from dataclasses import replace

from enhance_cli.checkpoints.layouts import edsr as edsr_pytorch
from enhance_cli.checkpoints.layouts.contract import (
    Recognised,
    Tensors,
    count,
    enlargement,
    has,
    renamed,
    shape,
)
from enhance_cli.checkpoints.wanted import Wanted

# The mean shift of its EDSR and RCAN is a constant, and (x - mean) 255 inside makes its 0..1 our 0..255.
FRAME = {"conv_first": "head.0", "upsample": "tail.0", "conv_last": "tail.1"}
BODY = {"body.{}.conv1": "body.{}.body.0", "body.{}.conv2": "body.{}.body.2"}


def edsr(tensors: Tensors, wanted: Wanted) -> Recognised | None:
    """EDSR, whose parts have other names and no other order."""
    if not has(tensors, "conv_first.weight", "body.0.conv1.weight", "conv_after_body.weight"):
        return None
    end = {"conv_after_body": f"body.{count(tensors, 'body.{}.conv1.weight')}"}
    found = edsr_pytorch.edsr(renamed(tensors, {**FRAME, **BODY, **end})[0], wanted)
    return found and replace(found, title="EDSR (BasicSR keys)")


def rcan(tensors: Tensors, wanted: Wanted) -> Recognised | None:
    """RCAN, likewise."""
    block, ours = "body.{}.residual_group.{}.rcab", "body.{}.body.{}.body"
    first = "body.0.residual_group.0.rcab"
    marks = ("conv_first.weight", f"{first}.0.weight", f"{first}.3.attention.1.weight")
    if not has(tensors, *marks, "conv_after_body.weight"):
        return None
    n_blocks = count(tensors, "body.0.residual_group.{}.rcab.0.weight")
    names = {
        **FRAME,
        "conv_after_body": f"body.{count(tensors, 'body.{}.conv.weight')}",
        f"{block}.3.attention.1": f"{ours}.3.conv_du.0",
        f"{block}.3.attention.3": f"{ours}.3.conv_du.2",
        block: ours,
        "body.{}.conv": f"body.{{}}.body.{n_blocks}",
    }
    found = edsr_pytorch.rcan(renamed(tensors, names)[0], wanted)
    return found and replace(found, title="RCAN (BasicSR keys)")


def msrresnet(tensors: Tensors, wanted: Wanted) -> Recognised | None:
    """MSRResNet, SRResNet without batch norm."""
    marks = ("conv_first.weight", "body.0.conv1.weight", "upconv1.weight", "conv_hr.weight")
    if not has(tensors, *marks, "conv_last.weight"):
        return None
    upsampling = {"upconv1": "upsample.0", "upconv2": "upsample.3"}
    names = {"conv_first": "head.0", **BODY, **upsampling, "conv_hr": "tail.0", "conv_last": "tail.2"}
    ours = renamed(tensors, names)[0]
    parameters = {
        "scale": enlargement(ours, "upsample.{}.weight", step=3),
        "n_blocks": count(tensors, "body.{}.conv1.weight"),
        "n_feats": shape(tensors, "conv_first.weight")[0],
    }
    return Recognised("MSRResNet (BasicSR keys)", "msrresnet", parameters, ours)


LAYOUTS = (edsr, rcan, msrresnet)
