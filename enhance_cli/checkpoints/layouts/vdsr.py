"""VDSR as pytorch-vdsr (twtygqyy) and as EDSR-PyTorch name it."""

from __future__ import annotations

import re

import torch

from enhance_cli.checkpoints.layouts.contract import (
    Recognised,
    Tensors,
    Wanted,
    count,
    in_levels,
    renamed,
    shape,
)
from enhance_cli.errors import ModelError


def twtygqyy(tensors: Tensors, wanted: Wanted) -> Recognised | None:
    """Luma; no convolution has a bias."""
    if not {"input.weight", "residual_layer.0.conv.weight", "output.weight"} <= set(tensors):
        return None
    n_feats, n_colours, *_ = shape(tensors, "input.weight")
    if n_colours != 1:
        raise ModelError(f"a VDSR with pytorch-vdsr's keys takes luma, and this one {n_colours} channels")
    n_inner = count(tensors, "residual_layer.{}.conv.weight")
    weights = renamed(
        tensors,
        (r"input\.(.*)", r"body.0.0.\1"),
        (r"residual_layer\.(\d+)\.conv\.(.*)", lambda found: f"body.{int(found[1]) + 1}.0.{found[2]}"),
        (r"output\.(.*)", rf"body.{n_inner + 1}.0.\1"),
    )
    biases = {
        key.replace("weight", "bias"): torch.zeros(weight.shape[:1], dtype=weight.dtype)
        for key, weight in weights.items()
    }
    return Recognised(
        title="VDSR (pytorch-vdsr keys)",
        arch="vdsr",
        parameters={"n_colours": 1, "n_feats": n_feats, "n_layers": n_inner + 2},
        tensors={**biases, **weights},
        tasks=("sr",),
    )


def edsr_pytorch(tensors: Tensors, wanted: Wanted) -> Recognised | None:
    """RGB in 0..255 with mean shift: a body and neither head nor tail."""
    known = re.compile(r"(body\.\d+\.0|(sub|add)_mean)\.(weight|bias)")
    if "body.1.0.weight" not in tensors or not all(known.fullmatch(key) for key in tensors):
        return None
    n_feats, n_colours, *_ = shape(tensors, "body.0.0.weight")
    n_layers = count(tensors, "body.{}.0.weight")
    if n_colours != 3:
        raise ModelError(f"a VDSR with EDSR-PyTorch's keys takes RGB, and this one {n_colours} channels")
    return Recognised(
        title="VDSR (EDSR-PyTorch keys)",
        arch="vdsr",
        parameters={"n_colours": 3, "n_feats": n_feats, "n_layers": n_layers},
        tensors=in_levels(tensors, first="body.0.0", last=f"body.{n_layers - 1}.0"),
        tasks=("sr",),
    )


LAYOUTS = (twtygqyy, edsr_pytorch)
