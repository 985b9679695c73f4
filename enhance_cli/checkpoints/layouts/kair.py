"""Plain chains of 3x3 convolutions, as which Zhang et al. publish DnCNN, FDnCNN, FFDNet and IRCNN.

Their key names in KAIR and in MATLAB are the same; what a chain is shows in its first and last channels and
in its length.  Older codes of DnCNN have names of their own.
"""

from __future__ import annotations

import re
from dataclasses import replace

import torch
from torch import Tensor

from enhance_cli.arch.contract import Parameters, Task
from enhance_cli.checkpoints.layouts.contract import (
    Recognised,
    Tensors,
    has,
    renamed,
    with_biases,
    with_counters,
)
from enhance_cli.checkpoints.wanted import Wanted
from enhance_cli.errors import ModelError

KEY = re.compile(r"model\.(\d+)\.(weight|bias|running_mean|running_var|num_batches_tracked)")
MATLAB_KEY = re.compile(r"layers\.(\d+)\.(weight|bias)")
OF_LEVEL = re.compile(r"(\d+)\.model\..*")
MATLAB = "MatConvNet"
COLOURS = (1, 3)
BLIND = 20
"""Layers of the DnCNN for many noise levels; the gray one of DnCNN-3 does all its three tasks."""
IRCNN_LAYERS = 7
"""No DnCNN was published with so few."""
LEVELS = range(2, 52, 2)
"""Noise levels (sigma, 0..255) of the networks 0, 1, 2, ... of a published IRCNN file."""
OUR_EPS = 1e-4
"""Of batch norm in KAIR's and cszn's code and in our network."""
SAOYAN_EPS = 1e-5
FFDNET_CHANNELS = {(5, 4): 1, (13, 12): 3}
"""Channels in and out, four for each colour and the noise level, to number of colours."""
COLUMNS_FIRST = (0, 2, 1, 3)
"""Where the sub-pictures lie that MATLAB counts down the columns of a 2x2 cell; its own inverse."""


def chain(tensors: Tensors, wanted: Wanted, whose: str = "KAIR keys") -> Recognised | None:
    """KAIR's names, `model.0`, `model.2`, ..., or those of a MATLAB file, `layers.0`, `layers.1`, ..."""
    matches = [MATLAB_KEY.fullmatch(key) for key in tensors]
    indices = {match and int(match[1]) for match in matches}
    if indices == set(range(len(indices))):
        # Counted without gaps, where the ReLU between them would count in an nn.Sequential of that name.
        whose = MATLAB
        tensors = {f"model.{2 * int(match[1])}.{match[2]}": tensors[match[0]] for match in matches if match}
    if not all(KEY.fullmatch(key) for key in tensors):
        return None
    convolutions = {int(key.split(".")[1]): tuple(one.shape) for key, one in tensors.items() if one.ndim == 4}
    shapes = [convolutions[index] for index in sorted(convolutions)]
    if len(shapes) < 2 or any(shape[2:] != (3, 3) for shape in shapes):
        return None
    n_in, n_out, n_layers = shapes[0][1], shapes[-1][0], len(shapes)
    normed = any(key.endswith("running_mean") for key in tensors)
    parameters: Parameters = {"n_colours": n_out, "n_feats": shapes[0][0], "n_layers": n_layers}
    tasks: tuple[Task, ...] = ("denoise",)
    if (n_in, n_out) in FFDNET_CHANNELS and not normed:
        name, parameters["n_colours"] = "FFDNet", FFDNET_CHANNELS[n_in, n_out]
        tensors = rows_first(tensors, n_layers) if whose == MATLAB else tensors
    elif n_out in COLOURS and n_in == n_out + 1 and not normed:
        name = "FDnCNN"
    elif n_out not in COLOURS or n_in != n_out:
        return None
    elif n_layers == IRCNN_LAYERS and not normed:
        name = "IRCNN"
        del parameters["n_layers"]
    else:
        name, parameters["batch_norm"] = "DnCNN", normed
        # People train gray ones for JPEG as well, and the blind one cannot be told from DnCNN-3.
        others: tuple[Task, ...] = ("dejpeg", "sr") if n_layers == BLIND else ("dejpeg",)
        tasks = ("denoise", *others) if n_out == 1 else tasks
    title = f"{name} ({whose})"
    return Recognised(title, name.lower(), parameters, with_counters(tensors), tasks=tasks)


def older_dncnn(tensors: Tensors, wanted: Wanted) -> Recognised | None:
    """`dncnn.N` of SaoYan, whose convolutions have no bias, and of cszn, whose first one has.

    What batch norm adds to the variance becomes ours.  SaoYan's network returns the noise and cszn's the
    picture without it: the tensors mean the same.
    """
    if not has(tensors, "dncnn.0.weight", "dncnn.2.weight"):
        return None
    whose, eps = ("cszn", OUR_EPS) if "dncnn.0.bias" in tensors else ("SaoYan", SAOYAN_EPS)
    found = with_biases(renamed(tensors, {"dncnn": "model"})[0])
    variances = {key: one + (eps - OUR_EPS) for key, one in found.items() if key.endswith("running_var")}
    return chain({**found, **variances}, wanted, f"{whose}'s keys")


def rows_first(tensors: Tensors, n_layers: int) -> dict[str, Tensor]:
    """The network with its sub-pictures ordered row by row, as ours and KAIR's, if they were by columns."""

    def order(n_channels: int) -> Tensor:
        """Each group of four reordered; the noise level, left over at the end, stays there."""
        found = torch.arange(n_channels)
        groups = found[: n_channels // 4 * 4].view(-1, 4)
        groups[:] = groups[:, COLUMNS_FIRST].clone()
        return found

    first, last = "model.0.weight", f"model.{2 * n_layers - 2}"
    return {
        **tensors,
        first: tensors[first][:, order(tensors[first].shape[1])],
        **{key: tensors[key][order(len(tensors[key]))] for key in (f"{last}.weight", f"{last}.bias")},
    }


def ircnn_of_levels(tensors: Tensors, wanted: Wanted) -> Recognised | None:
    """25 networks, of which the weakest that is strong enough for the noise asked for is taken."""
    matches = [OF_LEVEL.fullmatch(key) for key in tensors]
    if {match and int(match[1]) for match in matches} != set(range(len(LEVELS))):
        return None
    sigma = wanted.number("sigma", 25) if "sigma" in wanted.options else wanted.condition
    holds = f"it holds networks for noise levels {LEVELS[0]}, {LEVELS[1]}, ..., {LEVELS[-1]}"
    if sigma is None:
        raise ModelError(
            f"{holds}; say which with --arch-option sigma=N, or --sigma N where the command has it"
        )
    if not 0 <= sigma <= LEVELS[-1]:
        raise ModelError(f"{holds}, none for {sigma:g}; give a sigma from 0 to {LEVELS[-1]}")
    level = next(level for level in LEVELS if level >= sigma)
    prefix = f"{LEVELS.index(level)}."
    chosen = {key.removeprefix(prefix): one for key, one in tensors.items() if key.startswith(prefix)}
    found = chain(chosen, wanted)
    note = f"its network for noise level {level} taken; --arch-option sigma=N says otherwise"
    return found and replace(found, options=("sigma",), chosen_for=float(level), notes=(note,))


LAYOUTS = (chain, older_dncnn, ircnn_of_levels)
