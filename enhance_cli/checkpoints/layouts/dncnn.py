"""DnCNN and FDnCNN as KAIR and MATLAB name them, DnCNN as its first PyTorch codes did."""

from __future__ import annotations

import torch
from torch import Tensor

from enhance_cli.arch.contract import Task
from enhance_cli.checkpoints.layouts.chain import Chain, read_chain
from enhance_cli.checkpoints.layouts.contract import Recognised, Tensors, Wanted, renamed, zeros_for_batches

COLOURS = (1, 3)
BLIND = 20
"""Layers of the models for many noise levels; the gray one of DnCNN-3 does all its three tasks."""
OUR_EPS = 1e-4
"""Of batch norm in KAIR's and cszn's code and in our network."""
SAOYAN_EPS = 1e-5


def dncnn(tensors: Tensors, wanted: Wanted) -> Recognised | None:
    """KAIR's keys, with batch norm or without, and MATLAB files."""
    chain = read_chain(tensors)
    if chain is None or chain.dilated or chain.n_in != chain.n_out or chain.n_out not in COLOURS:
        return None
    return _dncnn(chain, f"DnCNN ({chain.keys})")


def dncnn_older(tensors: Tensors, wanted: Wanted) -> Recognised | None:
    """The keys `dncnn.N` of SaoYan, whose convolutions have no bias, and of cszn, whose first one has."""
    if not {"dncnn.0.weight", "dncnn.2.weight"} <= set(tensors):
        return None
    whose, eps = ("cszn", OUR_EPS) if "dncnn.0.bias" in tensors else ("SaoYan", SAOYAN_EPS)
    chain = read_chain(from_dncnn_layout(tensors, eps=eps))
    if chain is None or chain.n_in != chain.n_out or chain.n_out not in COLOURS:
        return None
    return _dncnn(chain, f"DnCNN ({whose}'s keys)")


def fdncnn(tensors: Tensors, wanted: Wanted) -> Recognised | None:
    """KAIR's keys and MATLAB files; one more channel comes in than goes out."""
    chain = read_chain(tensors)
    if chain is None or chain.batch_norm or chain.n_in != chain.n_out + 1 or chain.n_out not in COLOURS:
        return None
    return Recognised(
        title=f"FDnCNN ({chain.keys})",
        arch="fdncnn",
        parameters={"n_colours": chain.n_out, "n_feats": chain.n_feats, "n_layers": chain.n_layers},
        tensors=chain.tensors,
        tasks=("denoise",),
    )


def from_dncnn_layout(tensors: Tensors, *, eps: float) -> dict[str, Tensor]:
    """`dncnn.N` under KAIR's keys; what batch norm adds to the variance becomes ours, missing biases zero.

    SaoYan's network returns the noise and cszn's the picture without it: the tensors mean the same.
    """
    found = zeros_for_batches(renamed(tensors, (r"dncnn\.(.*)", r"model.\1")))
    biases = {
        key.replace("weight", "bias"): torch.zeros(one.shape[0])
        for key, one in found.items()
        if one.ndim == 4
    }
    variances = {key: one + (eps - OUR_EPS) for key, one in found.items() if key.endswith("running_var")}
    return {**biases, **found, **variances}


def _dncnn(chain: Chain, title: str) -> Recognised:
    return Recognised(
        title=title,
        arch="dncnn",
        parameters={
            "n_colours": chain.n_out,
            "n_feats": chain.n_feats,
            "n_layers": chain.n_layers,
            "batch_norm": chain.batch_norm,
        },
        tensors=chain.tensors,
        tasks=_tasks(chain),
    )


def _tasks(chain: Chain) -> tuple[Task, ...]:
    """People train gray ones for JPEG as well, and the blind one cannot be told from DnCNN-3."""
    if chain.n_out != 1:
        return ("denoise",)
    return ("denoise", "dejpeg", "sr") if chain.n_layers == BLIND else ("denoise", "dejpeg")


LAYOUTS = (dncnn, dncnn_older, fdncnn)
