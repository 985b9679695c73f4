"""FFDNet as KAIR and as MATLAB name it."""

from __future__ import annotations

import torch
from torch import Tensor

from enhance_cli.checkpoints.layouts.chain import read_chain
from enhance_cli.checkpoints.layouts.contract import Recognised, Tensors, Wanted

SHAPES = {(5, 4): 1, (13, 12): 3}
"""Channels in and out, four for each colour and the noise level, to number of colours."""
COLUMNS_FIRST = (0, 2, 1, 3)
"""Where the sub-pictures lie that MATLAB counts down the columns of a 2x2 cell; its own inverse."""


def ffdnet(tensors: Tensors, wanted: Wanted) -> Recognised | None:
    """KAIR's keys and MATLAB files."""
    chain = read_chain(tensors)
    if chain is None or chain.batch_norm or (chain.n_in, chain.n_out) not in SHAPES:
        return None
    return Recognised(
        title=f"FFDNet ({chain.keys})",
        arch="ffdnet",
        parameters={
            "n_colours": SHAPES[chain.n_in, chain.n_out],
            "n_feats": chain.n_feats,
            "n_layers": chain.n_layers,
        },
        tensors=rows_first(chain.tensors, chain.n_layers) if chain.matlab else chain.tensors,
        tasks=("denoise",),
    )


def rows_first(tensors: Tensors, n_layers: int) -> dict[str, Tensor]:
    """The network with its sub-pictures ordered row by row, as ours and KAIR's, if they were by columns."""
    first, last = "model.0.weight", f"model.{2 * n_layers - 2}"
    return {
        **tensors,
        first: tensors[first][:, _order(tensors[first].shape[1])],
        **{key: tensors[key][_order(len(tensors[key]))] for key in (f"{last}.weight", f"{last}.bias")},
    }


def _order(n_channels: int) -> Tensor:
    """Each group of four reordered; the noise level, left over at the end, stays there."""
    order = torch.arange(n_channels)
    groups = order[: n_channels // 4 * 4].view(-1, 4)
    groups[:] = groups[:, COLUMNS_FIRST].clone()
    return order


LAYOUTS = (ffdnet,)
