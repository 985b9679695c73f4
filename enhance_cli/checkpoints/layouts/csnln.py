"""CSNLN as its authors name it: one file for each scale."""

from __future__ import annotations

import torch

from enhance_cli.checkpoints.layouts.contract import Recognised, Tensors, Wanted, shape, with_mean_shift

PROJECTION = "SEM.multi_source_projection"
FACTORS = {6: 2, 9: 3}
"""Enlargement by the size of its kernel."""
ESCAPE = 1e-4
"""Nominal value of a constant that is stored like a weight."""


def csnln(tensors: Tensors, wanted: Wanted) -> Recognised | None:
    """The authors' keys; the number of rounds shows only in the last convolution's width."""
    if f"{PROJECTION}.up_attention.conv_match_1.0.weight" not in tensors:
        return None
    twice = f"{PROJECTION}_2.upsample.0.weight" in tensors
    factor = FACTORS[shape(tensors, f"{PROJECTION}.upsample.0.weight")[2]]
    n_feats = shape(tensors, "head.0.0.weight")[0]
    projections = (PROJECTION, f"{PROJECTION}_2") if twice else (PROJECTION,)
    nominal = {f"{name}.up_attention.escape_NaN": torch.tensor([ESCAPE]) for name in projections}
    return Recognised(
        title="CSNLN (authors' keys)",
        arch="csnln",
        parameters={
            "scale": factor**2 if twice else factor,
            "n_feats": n_feats,
            "depth": shape(tensors, "tail.0.weight")[1] // n_feats,
        },
        tensors={**nominal, **with_mean_shift(tensors, 1.0)},
        tasks=("sr",),
    )


LAYOUTS = (csnln,)
