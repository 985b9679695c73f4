"""Running averages of weights in training."""

from __future__ import annotations

import torch
from torch import Tensor, nn

LONG_MEMORY = 0.1
"""Share of the steps so far that the long average remembers."""
LONG_EVERY = 16
"""Steps between the updates of the long average."""


class Averages:
    """Two averages of a module's weights.

    The usual one forgets after 1 / (1 - ema) steps, which is right for weights whose learning rate falls to
    0; the long one remembers a tenth of the run, which takes the noise out of weights at a constant rate.
    """

    def __init__(self, module: nn.Module, ema: float) -> None:
        """`ema`: decay of the usual one for each step."""
        self.module, self.ema = module, ema
        self.usual = {key: value.detach().clone() for key, value in module.state_dict().items()}
        self.long = {key: value.clone() for key, value in self.usual.items()}

    def update(self, iterations: int, steps: int) -> None:
        """Take in the weights after `iterations` of the run, `steps` after the averages began."""
        # A short memory at first: early weights are far from anything worth averaging.
        self._move(self.usual, 1 - min(self.ema, (1 + steps) / (10 + steps)))
        if iterations % LONG_EVERY == 0:
            self._move(self.long, LONG_EVERY / (LONG_EVERY + LONG_MEMORY * steps))

    @torch.no_grad()
    def _move(self, average: dict[str, Tensor], share: float) -> None:
        """Move an average by a share of the way to the weights as they stand."""
        state = self.module.state_dict()
        floats = [key for key, value in state.items() if value.is_floating_point()]
        torch._foreach_lerp_([average[k] for k in floats], [state[k] for k in floats], share)
        for key in state.keys() - set(floats):
            average[key].copy_(state[key])
