"""The generator of SRGAN as leftthomas/SRGAN names it."""

from __future__ import annotations

from itertools import count

from enhance_cli.checkpoints.layouts.contract import (
    Recognised,
    Tensors,
    Wanted,
    enlargement,
    renamed,
    shape,
    zeros_for_batches,
)

MARKS = {"block1.0.weight", "block2.conv1.weight", "block2.prelu.weight", "block2.bn2.running_mean"}
FIRST = 2
"""Number of the first residual block; `block1` comes before them, two more after them."""


def srgan(tensors: Tensors, wanted: Wanted) -> Recognised | None:
    """The keys of its author."""
    if not set(tensors) >= MARKS:
        return None
    n_blocks = next(n for n in count() if f"block{FIRST + n}.conv1.weight" not in tensors)
    ours = renamed(
        tensors,
        (r"block1\.(.*)", r"head.\1"),
        (r"block(\d+)\.(\D.*)", lambda found: f"body.{int(found[1]) - FIRST}.{found[2]}"),
        (rf"block{FIRST + n_blocks}\.0\.(.*)", rf"body.{n_blocks}.\1"),
        (rf"block{FIRST + n_blocks}\.1\.(.*)", rf"body.{n_blocks + 1}.\1"),
        *_upsampling(f"block{FIRST + n_blocks + 1}"),
    )
    return Recognised(
        title="SRGAN generator (leftthomas's keys)",
        arch="srgan",
        parameters={
            "scale": enlargement(ours, "upsample.{}.weight", step=3),
            "n_blocks": n_blocks,
            "n_feats": shape(ours, "head.0.weight")[0],
        },
        tensors=zeros_for_batches(ours),
        tasks=("sr",),
    )


def _upsampling(block: str) -> tuple[tuple[str, str], ...]:
    """Stages of convolution, shuffle and PReLU, up to the three of x8; then the last convolution."""
    stages = (
        rule
        for i in range(3)
        for rule in (
            (rf"{block}\.{i}\.conv\.(.*)", rf"upsample.{3 * i}.\1"),
            (rf"{block}\.{i}\.prelu\.(.*)", rf"upsample.{3 * i + 2}.\1"),
        )
    )
    return (*stages, (rf"{block}\.\d\.(weight|bias)", r"tail.\1"))


LAYOUTS = (srgan,)
