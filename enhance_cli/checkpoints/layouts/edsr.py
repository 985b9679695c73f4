"""The names of EDSR-PyTorch and of all code that grew from it: EDSR, MDSR, VDSR, RCAN, RNAN, SAN, CSNLN."""

from __future__ import annotations

import re

import torch

from enhance_cli.arch.contract import Task
from enhance_cli.arch.mdsr import SCALES
from enhance_cli.checkpoints.layouts.contract import (
    Names,
    Recognised,
    Tensors,
    count,
    enlargement,
    has,
    in_levels,
    renamed,
    shape,
    with_mean_shift,
)
from enhance_cli.checkpoints.wanted import Wanted
from enhance_cli.errors import ModelError

FULL = (32, 256)
"""Blocks and features of the full EDSR, which was published with res_scale 0.1."""
NARROW = 64
"""Up to this width nobody needed residual scaling."""
NON_LOCAL = 2
"""RNAN's groups with attention, one before and one behind the counted ones."""
SAN_UNUSED: Names = {"RG.{}.gamma": None, "conv_last": None, "non_local.soca": None}
"""Parameters that its authors' forward never uses."""
PROJECTION = "SEM.multi_source_projection"
FACTORS = {6: 2, 9: 3}
"""CSNLN's enlargement by the size of its kernel."""
ESCAPE = 1e-4
"""Nominal value of a constant that CSNLN stores like a weight."""


def edsr(tensors: Tensors, wanted: Wanted) -> Recognised | None:
    """Residual scaling is not stored: as published, or as told."""
    marks = ("head.0.weight", "body.0.body.0.weight", "body.0.body.2.weight", "tail.1.weight")
    if not has(tensors, *marks) or "body.0.body.1.weight" in tensors:
        return None
    n_blocks, n_feats = count(tensors, "body.{}.body.0.weight"), shape(tensors, "head.0.weight")[0]
    told = "res_scale" in wanted.options
    if not told and n_feats > NARROW and (n_blocks, n_feats) != FULL:
        raise ModelError(
            f"EDSR of {n_blocks} blocks with {n_feats} features is no published one and its residual scaling "
            "is not stored; say --arch-option res_scale=0.1, or what it was trained with"
        )
    published = 0.1 if (n_blocks, n_feats) == FULL else 1.0
    res_scale = wanted.number("res_scale", published)
    note = f"res_scale {published:g} assumed, as published; --arch-option res_scale=N says otherwise"
    scale = enlargement(tensors)
    parameters = {"scale": scale, "n_blocks": n_blocks, "n_feats": n_feats, "res_scale": res_scale}
    return Recognised(
        "EDSR (EDSR-PyTorch keys)",
        "edsr",
        parameters,
        in_levels(tensors),
        options=("res_scale",),
        notes=() if told else (note,),
    )


def mdsr(tensors: Tensors, wanted: Wanted) -> Recognised | None:
    """Three scales, of which the smallest that is enough is taken, or the largest: the rest is resizing."""
    marks = ("head.0.weight", "pre_process.0.0.body.0.weight", "upsample.0.0.weight", "tail.0.weight")
    if not has(tensors, *marks):
        return None
    branches = range(count(tensors, "upsample.{}.0.weight"))
    scales = tuple(enlargement(tensors, f"upsample.{i}.{{}}.weight") for i in branches)
    known = ", ".join(map(str, SCALES))
    if scales != SCALES:
        raise ModelError(f"MDSR for scales {', '.join(map(str, scales))}; only those for {known} can be used")
    scale = next((one for one in SCALES if one >= (wanted.scale or 0)), SCALES[-1])
    parameters = {
        "scale": scale,
        "n_blocks": count(tensors, "body.{}.body.0.weight"),
        "n_feats": shape(tensors, "head.0.weight")[0],
    }
    return Recognised(
        "MDSR (EDSR-PyTorch keys)",
        "mdsr",
        parameters,
        in_levels(tensors, last="tail.0"),
        scales=SCALES,
        notes=() if wanted.scale else (f"scale {scale} of {known} taken; --scale N says otherwise",),
    )


def vdsr(tensors: Tensors, wanted: Wanted) -> Recognised | None:
    """RGB in 0..255 with mean shift: a body and neither head nor tail."""
    known = re.compile(r"(body\.\d+\.0|(sub|add)_mean)\.(weight|bias)")
    if "body.1.0.weight" not in tensors or not all(known.fullmatch(key) for key in tensors):
        return None
    n_feats, n_colours, *_ = shape(tensors, "body.0.0.weight")
    n_layers = count(tensors, "body.{}.0.weight")
    if n_colours != 3:
        raise ModelError(f"a VDSR with EDSR-PyTorch's keys takes RGB, and this one {n_colours} channels")
    parameters = {"n_colours": 3, "n_feats": n_feats, "n_layers": n_layers}
    return Recognised(
        "VDSR (EDSR-PyTorch keys)",
        "vdsr",
        parameters,
        in_levels(tensors, first="body.0.0", last=f"body.{n_layers - 1}.0"),
    )


def rcan(tensors: Tensors, wanted: Wanted) -> Recognised | None:
    """The authors' names are those of our network."""
    attention = "body.0.body.0.body.3.conv_du.0.weight"
    if not has(tensors, "head.0.weight", "body.0.body.0.body.0.weight", attention, "tail.1.weight"):
        return None
    narrow, n_feats = shape(tensors, attention)[:2]
    parameters = {
        "scale": enlargement(tensors),
        "n_groups": count(tensors, "body.{}.body.0.body.0.weight"),
        "n_blocks": count(tensors, "body.0.body.{}.body.0.weight"),
        "n_feats": n_feats,
        "reduction": n_feats // narrow,
    }
    return Recognised("RCAN (authors' keys)", "rcan", parameters, in_levels(tensors))


def rnan(tensors: Tensors, wanted: Wanted) -> Recognised | None:
    """Whether noise, JPEG artefacts or a mosaic was learnt is not among the keys."""
    if "body_nl_low.0.body.0.RA_RB1.0.body.0.weight" not in tensors:
        return None
    n_feats, n_colours, *_ = shape(tensors, "head.0.weight")
    scale = enlargement(tensors)
    others: tuple[Task, ...] = ("denoise", "dejpeg") if n_colours == 1 else ("denoise", "demosaic")
    parameters = {
        "scale": scale,
        "n_colours": n_colours,
        "n_groups": count(tensors, "body.{}.body.0.RA_RB1.0.body.0.weight") + NON_LOCAL,
        "n_feats": n_feats,
    }
    return Recognised(
        "RNAN (authors' keys)",
        "rnan",
        parameters,
        dict(tensors) if scale == 1 else in_levels(tensors),
        tasks=others if scale == 1 else ("sr",),
    )


def san(tensors: Tensors, wanted: Wanted) -> Recognised | None:
    """The authors' names are those of our network, and some more."""
    attention = "RG.0.soca.conv_du.0.weight"
    marks = ("gamma", "head.0.weight", "RG.0.rcab.0.conv_first.0.weight", "non_local.non_local.phi.0.weight")
    if not has(tensors, *marks, attention):
        return None
    narrow, n_feats = shape(tensors, attention)[:2]
    ours, dropped = renamed(tensors, SAN_UNUSED)
    parameters = {
        "scale": enlargement(tensors),
        "n_groups": count(tensors, "RG.{}.conv_last.weight"),
        "n_blocks": count(tensors, "RG.0.rcab.{}.conv_first.0.weight"),
        "n_feats": n_feats,
        "reduction": n_feats // narrow,
    }
    return Recognised("SAN (authors' keys)", "san", parameters, in_levels(ours), dropped=dropped)


def csnln(tensors: Tensors, wanted: Wanted) -> Recognised | None:
    """The number of rounds shows only in the last convolution's width."""
    if f"{PROJECTION}.up_attention.conv_match_1.0.weight" not in tensors:
        return None
    twice = f"{PROJECTION}_2.upsample.0.weight" in tensors
    factor = FACTORS[shape(tensors, f"{PROJECTION}.upsample.0.weight")[2]]
    n_feats = shape(tensors, "head.0.0.weight")[0]
    projections = (PROJECTION, f"{PROJECTION}_2") if twice else (PROJECTION,)
    constants = {f"{name}.up_attention.escape_NaN": torch.tensor([ESCAPE]) for name in projections}
    parameters = {
        "scale": factor**2 if twice else factor,
        "n_feats": n_feats,
        "depth": shape(tensors, "tail.0.weight")[1] // n_feats,
    }
    return Recognised(
        "CSNLN (authors' keys)", "csnln", parameters, {**constants, **with_mean_shift(tensors, 1.0)}
    )


LAYOUTS = (edsr, mdsr, vdsr, rcan, rnan, san, csnln)
