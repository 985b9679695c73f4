"""Average weights files of one network (model soup, Wortsman et al. 2022): the mean of each tensor.

    python tools/average.py A.safetensors B.safetensors --out NAME.safetensors

The result tells of the last file's making, and by their sha256 which files it is the mean of. Worth it where
one run began from the other, or both from the same weights.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch

from enhance_cli.checkpoints.reader import load_file, save_file


def main() -> None:
    """Average the files named on the command line."""
    parser = argparse.ArgumentParser(description="Average weights files of one network.")
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    wish = parser.parse_args()
    nets = [load_file(path) for path in wish.files]
    last = nets[-1]
    if any((net.arch, net.parameters) != (last.arch, last.parameters) for net in nets):
        raise SystemExit("These files are of different networks; give files of one recipe")
    states = [net.module.state_dict() for net in nets]
    last.module.load_state_dict({k: torch.stack([s[k].float() for s in states]).mean(0) for k in states[0]})
    save_file(
        wish.out,
        last.module,
        arch=last.arch,
        parameters=last.parameters,
        task=last.task,
        # What was measured in training was measured of that file alone.
        metadata={**last.metadata, "metrics": "{}", "averaged": json.dumps([net.sha256 for net in nets])},
    )


if __name__ == "__main__":
    main()
