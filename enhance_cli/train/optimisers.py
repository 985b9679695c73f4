"""What moves the weights along their gradients, by a recipe's keys."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

from enhance_cli.train.muon import Muon
from enhance_cli.train.recipe import Recipe


def optimisers(module: nn.Module, recipe: Recipe, precision: torch.dtype) -> list[torch.optim.Optimizer]:
    """The recipe's optimisers, all parameters between them; `precision` of Muon's orthogonalisation."""
    if recipe.optimiser == "adam":
        return [adam(module.parameters(), recipe)]
    if recipe.optimiser == "sgd":
        return [torch.optim.SGD(module.parameters(), lr=recipe.lr, momentum=0.9, fused=True)]
    others = [p for p in module.parameters() if p.ndim < 2]
    matrices = [p for p in module.parameters() if p.ndim > 1]
    muon = Muon(matrices, recipe.lr, precision=precision)
    return [muon, adam(others, recipe)] if others else [muon]


def adam(parameters: Iterable[nn.Parameter], recipe: Recipe) -> torch.optim.Optimizer:
    """Adam as the recipe has it."""
    return torch.optim.Adam(parameters, lr=recipe.lr, betas=(0.9, recipe.beta2), fused=True)
