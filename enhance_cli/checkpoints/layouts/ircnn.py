"""IRCNN as KAIR and MATLAB name it: one network, or the published file with one for each noise level."""

from __future__ import annotations

import re
from dataclasses import replace

from enhance_cli.checkpoints.layouts.chain import read_chain
from enhance_cli.checkpoints.layouts.contract import Recognised, Tensors, Wanted
from enhance_cli.errors import ModelError

LEVELS = range(2, 52, 2)
"""Noise levels (sigma, 0..255) of the networks 0, 1, 2, ... of a published file."""
OF_LEVEL = re.compile(r"(\d+)\.model\..*")
COLOURS = (1, 3)


def ircnn(tensors: Tensors, wanted: Wanted) -> Recognised | None:
    """One network."""
    chain = read_chain(tensors)
    if chain is None or not chain.dilated or chain.n_in != chain.n_out or chain.n_out not in COLOURS:
        return None
    return Recognised(
        title=f"IRCNN ({chain.keys})",
        arch="ircnn",
        parameters={"n_colours": chain.n_out, "n_feats": chain.n_feats},
        tensors=chain.tensors,
        tasks=("denoise",),
    )


def ircnn_of_levels(tensors: Tensors, wanted: Wanted) -> Recognised | None:
    """25 networks, of which the one for the noise asked for is taken: the weakest that is strong enough."""
    matches = [OF_LEVEL.fullmatch(key) for key in tensors]
    if {match and int(match[1]) for match in matches} != set(range(len(LEVELS))):
        return None
    level = _level(wanted)
    prefix = f"{LEVELS.index(level)}."
    chosen = {key.removeprefix(prefix): one for key, one in tensors.items() if key.startswith(prefix)}
    found = ircnn(chosen, wanted)
    return found and replace(
        found,
        options=("sigma",),
        chosen_for=float(level),
        notes=(f"its network for noise level {level} taken; --arch-option sigma=N says otherwise",),
    )


def _level(wanted: Wanted) -> int:
    """The smallest level that is not below the noise asked for; ModelError if there is none."""
    sigma = wanted.number("sigma", 25) if "sigma" in wanted.options else wanted.condition
    holds = f"it holds networks for noise levels {LEVELS[0]}, {LEVELS[1]}, ..., {LEVELS[-1]}"
    if sigma is None:
        raise ModelError(
            f"{holds}; say which with --arch-option sigma=N, or --sigma N where the command has it"
        )
    if not 0 <= sigma <= LEVELS[-1]:
        raise ModelError(f"{holds}, none for {sigma:g}; give a sigma from 0 to {LEVELS[-1]}")
    return next(level for level in LEVELS if level >= sigma)


LAYOUTS = (ircnn, ircnn_of_levels)
