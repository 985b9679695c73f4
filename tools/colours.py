"""Make weights of a gray `unet` the start of one for three colours.

    python tools/colours.py unet-deblur --out start.safetensors
    enhance train recipes/unet-deblur-rgb.toml --init start.safetensors --data DIR

The first convolution is given the mean of the colours, and each colour the gray result's change, so that
training begins with what is known of luma.  The result names the gray weights by their sha256.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor

from enhance_cli.arch.unet import UNet
from enhance_cli.checkpoints.catalog import find
from enhance_cli.checkpoints.reader import load_weights, save_file

COLOURS, CELL = 3, 4
"""Planes of a colour picture, and the pixels of a 2x2 cell, which are channels to `unet`."""


def main() -> None:
    """Convert the weights named on the command line."""
    parser = argparse.ArgumentParser(description="Make weights of a gray unet the start of one for colour.")
    parser.add_argument("name")
    parser.add_argument("--out", type=Path, required=True)
    wish = parser.parse_args()
    gray = load_weights(find(wish.name))
    if gray.arch != "unet" or gray.parameters.get("n_colours") != 1:
        raise SystemExit(f"{wish.name} is no unet of one colour")
    parameters = {**gray.parameters, "n_colours": COLOURS}
    colour = UNet(**parameters)
    colour.load_state_dict({key: _spread(key, value) for key, value in gray.module.state_dict().items()})
    # Nothing of it was trained as it is, so that it has no recipe and cannot be published.
    metadata = {"spread_from": gray.sha256, "licence": gray.licence or "MIT"}
    save_file(wish.out, colour, arch="unet", parameters=parameters, task=gray.task, metadata=metadata)


def _spread(key: str, value: Tensor) -> Tensor:
    if key == "head.weight":
        # Behind the cells of the planes lies the map that tells the strength, if there is one.
        cells, told = value[:, :CELL], value[:, CELL:]
        return torch.cat([cells / COLOURS] * COLOURS + [told], 1)
    return value.repeat(COLOURS, *([1] * (value.ndim - 1))) if key.startswith("tail.") else value


if __name__ == "__main__":
    main()
