"""SRCNN as SRCNN-pytorch (yjn870) names it."""

from __future__ import annotations

from enhance_cli.checkpoints.layouts.contract import Recognised, Tensors, Wanted, n_colours, shape

LAYERS = ("conv1", "conv2", "conv3")


def yjn870(tensors: Tensors, wanted: Wanted) -> Recognised | None:
    """Three convolutions and nothing else; a file was trained for one scale and does not say which."""
    if set(tensors) != {f"{layer}.{kind}" for layer in LAYERS for kind in ("weight", "bias")}:
        return None
    shapes = [shape(tensors, f"{layer}.weight") for layer in LAYERS]
    return Recognised(
        title="SRCNN (SRCNN-pytorch keys)",
        arch="srcnn",
        parameters={
            "n_colours": n_colours(tensors, "conv1.weight"),
            "kernels": [size for *_, size in shapes],
            "n_feats": [n_out for n_out, *_ in shapes[:2]],
        },
        tensors=dict(tensors),
        tasks=("sr",),
    )


LAYOUTS = (yjn870,)
