"""Plain chains of 3x3 convolutions, as which Zhang et al. publish DnCNN, FDnCNN, FFDNet and IRCNN.

Their key names in KAIR and in MATLAB are the same; what a chain is shows in its first and last channels and
in its length.  Older codes of DnCNN have names of their own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from enhance_cli.arch.contract import Parameters, Task
from enhance_cli.checkpoints.layouts.contract import Recognised, Tensors, renamed, with_biases, with_counters
from enhance_cli.checkpoints.wanted import Wanted
from enhance_cli.errors import ModelError

KEY = re.compile(r"model\.(\d+)\.(weight|bias|running_mean|running_var|num_batches_tracked)")
MATLAB_KEY = re.compile(r"layers\.(\d+)\.(weight|bias)")
OF_LEVEL = re.compile(r"(\d+)\.model\..*")
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


@dataclass(frozen=True, kw_only=True)
class Chain:
    """What the shapes of a chain tell."""

    n_in: int
    n_feats: int
    n_out: int
    n_layers: int
    batch_norm: bool
    tensors: dict[str, Tensor]
    """Under KAIR's keys: model.0, model.2, ..., or with batch norm model.0, model.2, model.3, model.5, ..."""
    keys: str
    """Whose file it is, for the title."""

    @property
    def dilated(self) -> bool:
        """An IRCNN."""
        return self.n_layers == IRCNN_LAYERS and not self.batch_norm

    def recognised(self, name: str, tasks: tuple[Task, ...] = ("denoise",), **more: object) -> Recognised:
        """The network of that name, with these parameters besides colours and features."""
        parameters: Parameters = {"n_colours": self.n_out, "n_feats": self.n_feats, **more}
        title = f"{name} ({self.keys})"
        return Recognised(
            title=title, arch=name.lower(), parameters=parameters, tensors=self.tensors, tasks=tasks
        )


def read_chain(tensors: Tensors, keys: str = "KAIR keys") -> Chain | None:
    """The chain under KAIR's keys, or `layers.0`, `layers.1`, ... of a MATLAB file; None if it is none."""
    matches = [MATLAB_KEY.fullmatch(key) for key in tensors]
    indices = {match and int(match[1]) for match in matches}
    if indices == set(range(len(indices))):
        # Counted without gaps, where the ReLU between them would count in an nn.Sequential of that name.
        keys = "MatConvNet"
        tensors = {f"model.{2 * int(match[1])}.{match[2]}": tensors[match[0]] for match in matches if match}
    if not all(KEY.fullmatch(key) for key in tensors):
        return None
    convolutions = sorted(
        (int(key.split(".")[1]), tuple(one.shape)) for key, one in tensors.items() if one.ndim == 4
    )
    shapes = [shape for _, shape in convolutions]
    if len(shapes) < 2 or any(shape[2:] != (3, 3) for shape in shapes):
        return None
    return Chain(
        n_in=shapes[0][1],
        n_feats=shapes[0][0],
        n_out=shapes[-1][0],
        n_layers=len(shapes),
        batch_norm=any(key.endswith("running_mean") for key in tensors),
        tensors=with_counters(tensors),
        keys=keys,
    )


def dncnn(tensors: Tensors, wanted: Wanted) -> Recognised | None:
    """With batch norm or without; the keys `dncnn.N` are older."""
    older = "dncnn.0.weight" in tensors and "dncnn.2.weight" in tensors
    chain = from_older(tensors) if older else read_chain(tensors)
    if chain is None or chain.n_in != chain.n_out or chain.n_out not in COLOURS:
        return None
    if chain.dilated and not older:
        return None
    # People train gray ones for JPEG as well, and the blind one cannot be told from DnCNN-3.
    tasks: tuple[Task, ...] = (
        ("denoise", "dejpeg", "sr") if chain.n_layers == BLIND else ("denoise", "dejpeg")
    )
    return chain.recognised(
        "DnCNN",
        tasks if chain.n_out == 1 else ("denoise",),
        n_layers=chain.n_layers,
        batch_norm=chain.batch_norm,
    )


def from_older(tensors: Tensors) -> Chain | None:
    """The chain of SaoYan, whose convolutions have no bias, or of cszn, whose first one has.

    What batch norm adds to the variance becomes ours.  SaoYan's network returns the noise and cszn's the
    picture without it: the tensors mean the same.
    """
    whose, eps = ("cszn", OUR_EPS) if "dncnn.0.bias" in tensors else ("SaoYan", SAOYAN_EPS)
    found = with_biases(renamed(tensors, {"dncnn": "model"})[0])
    variances = {key: one + (eps - OUR_EPS) for key, one in found.items() if key.endswith("running_var")}
    return read_chain({**found, **variances}, f"{whose}'s keys")


def fdncnn(tensors: Tensors, wanted: Wanted) -> Recognised | None:
    """One more channel comes in than goes out."""
    chain = read_chain(tensors)
    if chain is None or chain.batch_norm or chain.n_in != chain.n_out + 1 or chain.n_out not in COLOURS:
        return None
    return chain.recognised("FDnCNN", n_layers=chain.n_layers)


def ffdnet(tensors: Tensors, wanted: Wanted) -> Recognised | None:
    """MATLAB's sub-pictures lie in another order."""
    chain = read_chain(tensors)
    if chain is None or chain.batch_norm or (chain.n_in, chain.n_out) not in FFDNET_CHANNELS:
        return None
    if chain.keys == "MatConvNet":
        chain = replace(chain, tensors=rows_first(chain.tensors, chain.n_layers))
    found = chain.recognised("FFDNet", n_layers=chain.n_layers)
    return replace(
        found, parameters={**found.parameters, "n_colours": FFDNET_CHANNELS[chain.n_in, chain.n_out]}
    )


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


def ircnn(tensors: Tensors, wanted: Wanted) -> Recognised | None:
    """One network, or 25, of which the weakest that is strong enough for the noise asked for is taken."""
    matches = [OF_LEVEL.fullmatch(key) for key in tensors]
    if {match and int(match[1]) for match in matches} == set(range(len(LEVELS))):
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
        found = ircnn(chosen, wanted)
        note = f"its network for noise level {level} taken; --arch-option sigma=N says otherwise"
        return found and replace(found, options=("sigma",), chosen_for=float(level), notes=(note,))
    chain = read_chain(tensors)
    if chain is None or not chain.dilated or chain.n_in != chain.n_out or chain.n_out not in COLOURS:
        return None
    return chain.recognised("IRCNN")


LAYOUTS = (dncnn, fdncnn, ffdnet, ircnn)
