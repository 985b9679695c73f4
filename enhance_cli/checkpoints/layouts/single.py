"""Repositories of one network each: MIMO-UNet, SRGAN (leftthomas), SRResNet and VDSR (twtygqyy)."""

from __future__ import annotations

from enhance_cli.checkpoints.layouts.contract import (
    Names,
    Recognised,
    Tensors,
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


LAYOUTS = (mimo_unet, srgan, srresnet, vdsr)
