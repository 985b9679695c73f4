"""Repositories of one network each: MIMO-UNet, PAN, RLFN, SMFANet, SPAN, SRGAN, SRResNet and VDSR."""

from __future__ import annotations

import re
from math import isqrt

import torch
from torch import Tensor

from enhance_cli.checkpoints.layouts.contract import (
    Names,
    Recognised,
    Tensors,
    chosen_scale,
    count,
    enlargement,
    has,
    renamed,
    shape,
    with_biases,
    with_counters,
)
from enhance_cli.checkpoints.wanted import Wanted
from enhance_cli.errors import ModelError

PLUS = 20
"""Residual blocks in each stage of MIMO-UNet+; MIMO-UNet has 8."""
SRRESNET_UNUSED: Names = {
    f"{norm}.{name}": None
    for norm in ("residual.{}.in1", "residual.{}.in2", "bn_mid")
    for name in ("running_mean", "running_var", "num_batches_tracked")
}
"""Instance norm counted these before PyTorch 0.4 and never used them."""

PAN_NAMES: Names = {
    "conv_first": "head",
    "SCPA_trunk.{}.conv1_a": "body.{}.into_plain",
    "SCPA_trunk.{}.conv1_b": "body.{}.into_attended",
    "SCPA_trunk.{}.k1.0": "body.{}.plain",
    "SCPA_trunk.{}.PAConv.k2": "body.{}.attention",
    "SCPA_trunk.{}.PAConv.k3": "body.{}.attended",
    "SCPA_trunk.{}.PAConv.k4": "body.{}.after_attention",
    "SCPA_trunk.{}.conv3": "body.{}.join",
    "trunk_conv": "after_body",
    **{f"upconv{i + 1}": f"steps.{i}.smooth" for i in range(2)},
    **{f"att{i + 1}.conv": f"steps.{i}.attention" for i in range(2)},
    **{f"HRconv{i + 1}": f"steps.{i}.refine" for i in range(2)},
    "conv_last": "tail",
}
PLUS_FEATS = 48
"""Features of SMFANet+; SMFANet has 36."""


def mimo_unet(tensors: Tensors, wanted: Wanted) -> Recognised | None:
    """MIMO-UNet and MIMO-UNet+ as their authors name them, which is how we name them too."""
    block = "Encoder.0.layers.{}.main.0.main.0.weight"
    if not has(tensors, block.format(0), "AFFs.0.conv.0.main.0.weight", "SCM1.main.0.main.0.weight"):
        return None
    n_res = count(tensors, block)
    parameters = {"n_res": n_res, "n_feats": shape(tensors, "feat_extract.0.main.0.weight")[0]}
    return Recognised(
        f"{'MIMO-UNet+' if n_res == PLUS else 'MIMO-UNet'} (authors' keys)",
        "mimo_unet",
        parameters,
        dict(tensors),
        tasks=("deblur",),
    )


def pan(tensors: Tensors, wanted: Wanted) -> Recognised | None:
    """The authors' names; scales 2 and 3 have the same shapes."""
    if not has(tensors, "conv_first.weight", "SCPA_trunk.0.PAConv.k2.weight", "HRconv1.weight"):
        return None
    scale, notes = chosen_scale(wanted, (2, 3), "PAN") if "upconv2.weight" not in tensors else (4, ())
    parameters = {
        "scale": scale,
        "n_blocks": count(tensors, "SCPA_trunk.{}.conv3.weight"),
        "n_feats": shape(tensors, "conv_first.weight")[0],
        "n_narrow": shape(tensors, "HRconv1.weight")[0],
    }
    ours = renamed(tensors, PAN_NAMES)[0]
    return Recognised("PAN (authors' keys)", "pan", parameters, ours, options=("scale",), notes=notes)


def rlfn(tensors: Tensors, wanted: Wanted) -> Recognised | None:
    """The authors' names."""
    if not has(tensors, "conv_1.weight", "block_1.esa.conv_f.weight", "conv_2.weight", "upsampler.0.weight"):
        return None
    n_blocks = count(tensors, "block_{}.c1_r.weight", first=1)
    n_mid, n_feats, *_ = shape(tensors, "block_1.c1_r.weight")
    parameters = {
        "scale": isqrt(shape(tensors, "upsampler.0.weight")[0] // 3),
        "n_blocks": n_blocks,
        "n_feats": n_feats,
        "n_mid": n_mid,
        "n_attention": shape(tensors, "block_1.esa.conv_f.weight")[0],
    }
    ours = renamed(tensors, numbered_blocks(n_blocks))[0]
    return Recognised("RLFN (authors' keys)", "rlfn", parameters, ours)


def smfanet(tensors: Tensors, wanted: Wanted) -> Recognised | None:
    """The authors' names are those of our network."""
    if not has(tensors, "to_feat.weight", "feats.0.smfa.alpha", "feats.0.pcfn.conv_1.weight"):
        return None
    n_blocks, n_feats = count(tensors, "feats.{}.smfa.alpha"), shape(tensors, "to_feat.weight")[0]
    scale = isqrt(shape(tensors, "to_img.0.weight")[0] // 3)
    title = f"SMFANet{'+' if n_feats >= PLUS_FEATS else ''} (authors' keys)"
    parameters = {"scale": scale, "n_blocks": n_blocks, "n_feats": n_feats}
    return Recognised(title, "smfanet", parameters, dict(tensors))


def span(tensors: Tensors, wanted: Wanted) -> Recognised | None:
    """The authors' names, and `no_norm` of those who left the centring out.

    A convolution is stored as the ways it was trained in and as what was made of them at some time: the ways
    count, where they are there.
    """
    if not has(tensors, "conv_1.eval_conv.weight", "block_1.c1_r.eval_conv.weight", "conv_cat.weight"):
        return None
    norm = "no_norm" not in tensors
    n_blocks = count(tensors, "block_{}.c1_r.eval_conv.weight", first=1)
    made = {key.replace(".eval_conv.", "."): one for key, one in tensors.items() if ".eval_conv." in key}
    plain = {key: one for key, one in tensors.items() if key.startswith(("conv_cat.", "upsampler."))}
    ways = [key.removesuffix(".sk.weight") for key in tensors if key.endswith(".sk.weight")]
    for name in ways:
        made[f"{name}.weight"], made[f"{name}.bias"] = one_convolution(tensors, name)
    parameters = {
        "scale": isqrt(shape(tensors, "upsampler.0.weight")[0] // 3),
        "n_blocks": n_blocks,
        "n_feats": shape(tensors, "conv_1.eval_conv.weight")[0],
        "norm": norm,
    }
    ours = renamed({**made, **plain}, {**numbered_blocks(n_blocks), "conv_cat": "join"})[0]
    known = re.compile(r"no_norm|.*\.(eval_conv|sk|conv\.[012])\.(weight|bias)|(conv_cat|upsampler\.0)\.\w+")
    extra = {key: one for key, one in tensors.items() if not known.fullmatch(key)}
    return Recognised("SPAN (authors' keys)", "span", parameters, {**ours, **extra})


def one_convolution(tensors: Tensors, name: str) -> tuple[Tensor, Tensor]:
    """Weight and bias of the 3x3 convolution that SPAN trains as 1x1, 3x3, 1x1 beside a skip of 1x1."""
    (first, b1), (middle, b2), (last, b3), (skip, b0) = (
        (tensors[f"{name}.{part}.weight"], tensors[f"{name}.{part}.bias"])
        for part in ("conv.0", "conv.1", "conv.2", "sk")
    )
    weight = torch.einsum("om,mnyx,ni->oiyx", last[:, :, 0, 0], middle, first[:, :, 0, 0])
    weight[:, :, 1, 1] += skip[:, :, 0, 0]
    return weight, b0 + b3 + last[:, :, 0, 0] @ (b2 + middle.sum((2, 3)) @ b1)


def numbered_blocks(n_blocks: int) -> Names:
    """RLFN's names, which SPAN took over, for ours."""
    blocks = {f"block_{i + 1}": f"blocks.{i}" for i in range(n_blocks)}
    return {**blocks, "conv_1": "head", "conv_2": "after_blocks", "upsampler": "tail"}


def srgan(tensors: Tensors, wanted: Wanted) -> Recognised | None:
    """The generator of leftthomas/SRGAN, whose parts are numbered through: block1, block2, ..."""
    marks = ("block1.0.weight", "block2.conv1.weight", "block2.prelu.weight", "block2.bn2.running_mean")
    if not has(tensors, *marks):
        return None
    n_blocks = count(tensors, "block{}.conv1.weight", first=2)
    end, upsampling = f"block{n_blocks + 2}", f"block{n_blocks + 3}"
    names = {
        "block1": "head",
        **{f"block{i + 2}": f"body.{i}" for i in range(n_blocks)},
        f"{end}.0": f"body.{n_blocks}",
        f"{end}.1": f"body.{n_blocks + 1}",
        **{f"{upsampling}.{i}.conv": f"upsample.{3 * i}" for i in range(3)},
        **{f"{upsampling}.{i}.prelu": f"upsample.{3 * i + 2}" for i in range(3)},
        f"{upsampling}.{{}}": "tail",
    }
    ours = renamed(tensors, names)[0]
    parameters = {
        "scale": enlargement(ours, "upsample.{}.weight", step=3),
        "n_blocks": n_blocks,
        "n_feats": shape(ours, "head.0.weight")[0],
    }
    return Recognised("SRGAN generator (leftthomas's keys)", "srgan", parameters, with_counters(ours))


def srresnet(tensors: Tensors, wanted: Wanted) -> Recognised | None:
    """twtygqyy/pytorch-SRResNet."""
    if not has(tensors, "conv_input.weight", "residual.0.in1.weight", "bn_mid.weight", "upscale4x.0.weight"):
        return None
    ours, dropped = renamed(tensors, SRRESNET_UNUSED)
    parameters = {
        "n_blocks": count(tensors, "residual.{}.in1.weight"),
        "n_feats": shape(tensors, "conv_input.weight")[0],
    }
    return Recognised("SRResNet (twtygqyy's keys)", "srresnet", parameters, ours, dropped=dropped)


def vdsr(tensors: Tensors, wanted: Wanted) -> Recognised | None:
    """twtygqyy/pytorch-vdsr: luma; no convolution has a bias."""
    if not has(tensors, "input.weight", "residual_layer.0.conv.weight", "output.weight"):
        return None
    n_feats, n_colours, *_ = shape(tensors, "input.weight")
    if n_colours != 1:
        raise ModelError(f"a VDSR with pytorch-vdsr's keys takes luma, and this one {n_colours} channels")
    n_inner = count(tensors, "residual_layer.{}.conv.weight")
    inner = {f"residual_layer.{i}.conv": f"body.{i + 1}.0" for i in range(n_inner)}
    names = {"input": "body.0.0", **inner, "output": f"body.{n_inner + 1}.0"}
    parameters = {"n_colours": 1, "n_feats": n_feats, "n_layers": n_inner + 2}
    return Recognised("VDSR (pytorch-vdsr keys)", "vdsr", parameters, with_biases(renamed(tensors, names)[0]))


LAYOUTS = (mimo_unet, pan, rlfn, smfanet, span, srgan, srresnet, vdsr)
