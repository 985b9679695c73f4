"""Batch norm in training: quick on CPUs, and with statistics that belong to averaged weights."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn


class Norm32(nn.BatchNorm2d):
    """Batch norm in float32, whatever it is given."""

    def forward(self, x: Tensor) -> Tensor:
        """x: (N, C, H, W), same shape and type out."""
        return super().forward(x.float()).to(x.dtype)


def quicken(module: nn.Module) -> None:
    """Have every batch norm work in float32.

    On CPUs torch takes 25 times as long for the gradient in bfloat16 with channels last.
    """
    for one in module.modules():
        if type(one) is nn.BatchNorm2d:
            one.__class__ = Norm32


def has_norm(module: nn.Module) -> bool:
    """Whether there is any batch norm in it."""
    return any(isinstance(one, nn.BatchNorm2d) for one in module.modules())


@torch.no_grad()
def measure(module: nn.Module, apply: Callable[[], None]) -> None:
    """Give every batch norm the mean statistics of what `apply` sends through the module, then in eval mode.

    Running statistics are those of the weights as they passed by in training; the mean of these weights has
    others.
    """
    norms = [one for one in module.modules() if isinstance(one, nn.BatchNorm2d)]
    momenta = [one.momentum for one in norms]
    for one in norms:
        one.reset_running_stats()
        one.momentum = None  # a plain mean
    module.train()
    apply()
    module.eval()
    for one, momentum in zip(norms, momenta, strict=True):
        one.momentum = momentum
