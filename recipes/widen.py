"""Make weights of a `compact` the start of a larger one that does the same (Net2Net, Chen et al. 2016).

    python recipes/widen.py compact-sr-x4-deep --feats 96 --blocks 16 --out start.safetensors
    enhance train recipes/compact-sr-x4-wide.toml --init start.safetensors --data DIR

Nothing listens to the new channels and the new blocks change nothing, until training has taught them.  The
result names the weights it was made of by their sha256.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor

from enhance_cli.arch.compact import Compact
from enhance_cli.checkpoints.catalog import find
from enhance_cli.checkpoints.reader import load_weights, save_file


def main() -> None:
    """Convert the weights named on the command line."""
    parser = argparse.ArgumentParser(description="Make weights of a compact the start of a larger one.")
    parser.add_argument("name")
    parser.add_argument("--feats", type=int, required=True)
    parser.add_argument("--blocks", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True)
    wish = parser.parse_args()
    small = load_weights(find(wish.name))
    if small.arch != "compact":
        raise SystemExit(f"{wish.name} is no compact")
    parameters = {**small.parameters, "n_feats": wish.feats, "n_blocks": wish.blocks}
    torch.manual_seed(0)
    large = Compact(**parameters)
    state, known = large.state_dict(), small.module.state_dict()
    if any(key not in state or _smaller(state[key], value) for key, value in known.items()):
        raise SystemExit(f"{wish.name} is wider or deeper than that; give more --feats or --blocks")
    large.load_state_dict({key: _grown(value, known.get(key)) for key, value in state.items()})
    # Nothing of it was trained as it is, so that it has no recipe and cannot be published.
    metadata = {"spread_from": small.sha256, "licence": small.licence or "MIT"}
    save_file(wish.out, large, arch="compact", parameters=parameters, task=small.task, metadata=metadata)


def _smaller(one: Tensor, other: Tensor) -> bool:
    return any(a < b for a, b in zip(one.shape, other.shape, strict=True))


def _grown(fresh: Tensor, known: Tensor | None) -> Tensor:
    if known is None:
        return fresh
    grown = fresh.clone()
    if grown.ndim > 1:
        # What was there before must not hear the new channels.
        grown[: len(known)] = 0
    grown[tuple(slice(side) for side in known.shape)] = known
    return grown


if __name__ == "__main__":
    main()
