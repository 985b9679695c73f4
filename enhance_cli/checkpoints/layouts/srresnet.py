"""SRResNet as twtygqyy/pytorch-SRResNet names it."""

from __future__ import annotations

from enhance_cli.checkpoints.layouts.contract import Recognised, Tensors, Wanted, count, shape

MARKS = {"conv_input.weight", "residual.0.in1.weight", "bn_mid.weight", "upscale4x.0.weight"}
STATISTICS = (".running_mean", ".running_var", ".num_batches_tracked")
"""Instance norm counted them before PyTorch 0.4 and never used them."""


def srresnet(tensors: Tensors, wanted: Wanted) -> Recognised | None:
    """The keys of its author."""
    if not set(tensors) >= MARKS:
        return None
    dropped = tuple(key for key in tensors if key.endswith(STATISTICS))
    return Recognised(
        title="SRResNet (twtygqyy's keys)",
        arch="srresnet",
        parameters={
            "n_blocks": count(tensors, "residual.{}.in1.weight"),
            "n_feats": shape(tensors, "conv_input.weight")[0],
        },
        tensors={key: one for key, one in tensors.items() if key not in dropped},
        tasks=("sr",),
        dropped=dropped,
    )


LAYOUTS = (srresnet,)
