"""Structural re-parameterisation: linear branches beside each 3x3 convolution while it is trained.

They make training faster and are merged exactly into the one 3x3 weight that is kept, so that the network
costs nothing more (Ding et al. 2021; for super-resolution ECBSR, Zhang et al. 2021). Since they are linear,
the weights are added up before each convolution, as in SESR (Bhardwaj et al. 2022), not the outputs after it.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrize

WEIGHT = ".parametrizations.weight."
"""What torch puts before the names of a weight's branches."""


class Branches(nn.Module):
    """W + squeeze (expand) + point: a 3x3 convolution to more channels and back, and one of 1x1.

    Begins as W, from which training may go on.
    """

    def __init__(self, weight: Tensor, expansion: int) -> None:
        super().__init__()
        n_out, n_in = weight.shape[:2]
        self.expand = nn.Parameter(weight.new_empty(expansion * n_out, n_in, 3, 3))
        nn.init.normal_(self.expand, std=(9 * n_in) ** -0.5)
        self.squeeze = nn.Parameter(weight.new_zeros(n_out, expansion * n_out))
        self.point = nn.Parameter(weight.new_zeros(n_out, n_in))

    def forward(self, weight: Tensor) -> Tensor:
        """weight: (out, in, 3, 3), same shape out."""
        return merge(weight, self.expand, self.squeeze, self.point)


def merge(weight: Tensor, expand: Tensor, squeeze: Tensor, point: Tensor) -> Tensor:
    """The one 3x3 weight that does what all branches do together."""
    product = (squeeze @ expand.flatten(1)).view_as(weight)
    return weight + product + F.pad(point[:, :, None, None], (1, 1, 1, 1))


def add_branches(module: nn.Module, expansion: int) -> None:
    """Give every plain 3x3 convolution its branches, `expansion` times as wide as its output."""
    for one in list(module.modules()):
        if isinstance(one, nn.Conv2d) and one.kernel_size == (3, 3) and one.groups == 1:
            parametrize.register_parametrization(one, "weight", Branches(one.weight, expansion))


def merged(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The state of the network without branches, from that of the network with them (or without)."""
    plain = {key: value for key, value in state.items() if WEIGHT not in key}
    for key in state:
        if key.endswith(WEIGHT + "original"):
            name = key.removesuffix(WEIGHT + "original")
            parts = [state[f"{name}{WEIGHT}0.{part}"] for part in ("expand", "squeeze", "point")]
            plain[f"{name}.weight"] = merge(state[key], *parts)
    return plain
