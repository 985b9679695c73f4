"""What a long run needs to go on elsewhere: its weights as they stand, in a file for a repository."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import nn

from enhance_cli.checkpoints.reader import LoadedNet, load_file
from enhance_cli.errors import UsageError
from enhance_cli.train.recipe import Recipe

MAX_BYTES = 5_000_000
"""Of the tensors; a repository that takes a file every few hours must stay small."""
NETWORK = ("arch", "task", "parameters")
"""Keys of a recipe without which its weights mean nothing."""


def check_size(path: Path, module: nn.Module) -> None:
    """UsageError if the module, without training's branches, is too large for a file that is kept."""
    size = sum(2 * tensor.numel() for tensor in module.state_dict().values())
    if size > MAX_BYTES:
        raise UsageError(
            f"{path} would be {size / 1e6:.1f} MB, and a run that is kept may take {MAX_BYTES / 1e6:.0f} MB; "
            "leave out --keep"
        )


@dataclass(frozen=True)
class Kept:
    """A run of which only the weights were kept."""

    path: Path
    net: LoadedNet
    recipe: Mapping[str, Any]
    """As the run had it, tuples as lists."""
    seconds: float
    iterations: int
    psnr: float
    """Validation of the averages, not of these weights."""

    @property
    def run(self) -> Mapping[str, str]:
        """What the file says of the pictures, the start and the commits."""
        return self.net.metadata

    @classmethod
    def read(cls, path: Path) -> Kept:
        """Read what `enhance train --keep` wrote; UsageError if it is something else."""
        net = load_file(path)
        try:
            recipe, training, metrics = (
                json.loads(net.metadata[key]) for key in ("recipe", "training", "metrics")
            )
            net.metadata["commit"], net.metadata["init"]
            psnr = metrics["validation_psnr"]
            return cls(path, net, recipe, training["seconds"], training["iterations"], psnr)
        except (KeyError, TypeError, ValueError) as error:
            raise UsageError(
                f"{path} does not tell of its run; give one that --keep wrote, or start from it with --init"
            ) from error

    def fill(self, recipe: Recipe, module: nn.Module, say: Callable[[str], None]) -> None:
        """Give the module the weights and say what goes on; UsageError if they are of another network."""
        now = json.loads(json.dumps(asdict(recipe)))
        changed = [key for key, value in now.items() if self.recipe.get(key, value) != value]
        if other := [key for key in NETWORK if key in changed]:
            raise UsageError(
                f"{self.path} is of a run with {other[0]} = {self.recipe[other[0]]}, not {now[other[0]]}; "
                "give its own recipe, or start from it with --init"
            )
        module.load_state_dict(self.net.module.state_dict())
        say(
            f"Goes on from {self.path}: {self.iterations} steps, {self.seconds / 3600:.1f} hours, validation "
            f"{self.psnr:.3f} dB; the optimiser's moments begin anew"
        )
        for key in changed:
            say(f"{key} was {self.recipe[key]} so far and is {now[key]} from now on")
