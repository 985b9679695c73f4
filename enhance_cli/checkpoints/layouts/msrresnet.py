"""MSRResNet as BasicSR names it."""

from __future__ import annotations

from enhance_cli.checkpoints.layouts.contract import (
    Recognised,
    Tensors,
    Wanted,
    count,
    enlargement,
    renamed,
    shape,
)

MARKS = {"conv_first.weight", "body.0.conv1.weight", "upconv1.weight", "conv_hr.weight", "conv_last.weight"}


def basicsr(tensors: Tensors, wanted: Wanted) -> Recognised | None:
    """BasicSR's keys."""
    if not set(tensors) >= MARKS:
        return None
    ours = renamed(
        tensors,
        (r"conv_first\.(.*)", r"head.0.\1"),
        (r"body\.(\d+)\.conv1\.(.*)", r"body.\1.body.0.\2"),
        (r"body\.(\d+)\.conv2\.(.*)", r"body.\1.body.2.\2"),
        (r"upconv1\.(.*)", r"upsample.0.\1"),
        (r"upconv2\.(.*)", r"upsample.3.\1"),
        (r"conv_hr\.(.*)", r"tail.0.\1"),
        (r"conv_last\.(.*)", r"tail.2.\1"),
    )
    return Recognised(
        title="MSRResNet (BasicSR keys)",
        arch="msrresnet",
        parameters={
            "scale": enlargement(ours, "upsample.{}.weight", step=3),
            "n_blocks": count(tensors, "body.{}.conv1.weight"),
            "n_feats": shape(tensors, "conv_first.weight")[0],
        },
        tensors=ours,
        tasks=("sr",),
    )


LAYOUTS = (basicsr,)
