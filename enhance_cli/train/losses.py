"""Training losses on values in 0..1."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

Output = Tensor | Sequence[Tensor]
LossFunction = Callable[[Output, Tensor], Tensor]


def final(output: Output) -> Tensor:
    """The result among several outputs: the last, at full size."""
    return output if isinstance(output, Tensor) else output[-1]


def l1(output: Output, target: Tensor) -> Tensor:
    """Mean absolute error."""
    return F.l1_loss(final(output), target)


def l2(output: Output, target: Tensor) -> Tensor:
    """Mean squared error."""
    return F.mse_loss(final(output), target)


def charbonnier(output: Output, target: Tensor) -> Tensor:
    """Smooth L1, sqrt(error^2 + eps^2) with eps = 1e-3 (Lai et al. 2017)."""
    return (final(output) - target).square().add(1e-6).sqrt().mean()


def frequency(output: Output, target: Tensor) -> Tensor:
    """L1 plus 0.1 L1 between 2-D Fourier transforms, at every scale given (MIMO-UNet, eq. 8 to 10).

    With several outputs the last is the full size; the target is shrunk by nearest neighbour for the rest.
    """
    outputs = [output] if isinstance(output, Tensor) else list(output)
    total = target.new_zeros(())
    for one in outputs:
        fitted = F.interpolate(target, size=one.shape[-2:]) if one.shape != target.shape else target
        difference = torch.fft.rfft2(one) - torch.fft.rfft2(fitted)
        total = total + F.l1_loss(one, fitted) + 0.1 * torch.view_as_real(difference).abs().mean()
    return total


LOSSES: dict[str, LossFunction] = {"l1": l1, "l2": l2, "charbonnier": charbonnier, "frequency": frequency}
