"""Muon: momentum whose every matrix is made orthogonal, for weights of two and more dimensions."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable

import torch
from torch import Tensor, nn

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
"""Coefficients of an odd quintic that drives singular values in (0, 1] to about 1 (Jordan et al. 2024)."""
N_STEPS = 5
RMS = 0.2
"""Root mean square of an update of Adam, which updates are scaled to (Liu et al. 2025, eq. 4)."""


class Muon(torch.optim.Optimizer):
    """Muon (Jordan et al. 2024) with Nesterov momentum, for parameters of two or more dimensions.

    A convolution's weight counts as a matrix of (out, in * height * width). Its update has the root
    mean square of Adam's, so that one learning rate serves both (Liu et al. 2025).
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        lr: float,
        momentum: float = 0.95,
        precision: torch.dtype = torch.float32,
    ) -> None:
        """`precision`: of the orthogonalisation; bfloat16, as its author has it, is four times as fast."""
        super().__init__(parameters, {"lr": lr, "momentum": momentum})
        self.precision = precision

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        """Take one step along the gradients that the parameters hold."""
        for group in self.param_groups:
            alike: dict[tuple[int, int], list[nn.Parameter]] = defaultdict(list)
            for parameter in group["params"]:
                if parameter.grad is not None:
                    alike[(len(parameter), parameter[0].numel())].append(parameter)
            for parameters in alike.values():
                self._step_alike(parameters, group["lr"], group["momentum"])

    def _step_alike(self, parameters: list[nn.Parameter], lr: float, momentum: float) -> None:
        """Move parameters of one size, whose matrices are worked on as one batch."""
        gradients = [p.grad for p in parameters if p.grad is not None]
        for p in parameters:
            if not self.state[p]:
                self.state[p]["momentum"] = torch.zeros_like(p)
        memories = [self.state[p]["momentum"] for p in parameters]
        torch._foreach_lerp_(memories, gradients, 1 - momentum)
        ahead = torch._foreach_lerp(gradients, memories, momentum)
        updates = orthogonal(torch.stack([one.flatten(1) for one in ahead]), self.precision)
        step = lr * RMS * math.sqrt(max(updates.shape[1:]))
        for parameter, update in zip(parameters, updates, strict=True):
            parameter.add_(update.view_as(parameter), alpha=-step)


def orthogonal(matrices: Tensor, precision: torch.dtype = torch.float32) -> Tensor:
    """(N, rows, columns) -> the same with singular values near 1 (0.7 to 1.2), singular vectors kept."""
    wide = matrices.shape[1] <= matrices.shape[2]
    x = matrices if wide else matrices.mT
    # Scaled before it is rounded: a gradient of 1e-9 is as good as any.
    x = (x / x.norm(dim=(1, 2), keepdim=True).clamp_min(1e-12)).to(precision)
    a, b, c = NEWTON_SCHULZ
    for _ in range(N_STEPS):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return (x if wide else x.mT).to(matrices.dtype)
