"""Shipped networks with wrong weights, as a damaged file or a bad conversion gives them."""

import torch
from torch import nn

WAYS = ("one", "middle third", "all but first and last", "shuffled", "last")


def break_weights(net: nn.Module, way: str, seed: int) -> None:
    """Replace weights of convolutions by random ones of the same strength, in place.

    "shuffled" leaves the values of the middle third, but puts output channels in another order.
    """
    chance = torch.Generator().manual_seed(seed)
    kernels = [parameter for parameter in net.parameters() if parameter.ndim == 4]
    n, third = len(kernels), slice(len(kernels) // 3, 2 * len(kernels) // 3)
    chosen = {
        "one": slice(n // 2, n // 2 + 1),
        "middle third": third,
        "all but first and last": slice(1, n - 1),
        "shuffled": third,
        "last": slice(n - 1, n),
    }[way]
    with torch.no_grad():
        for kernel in kernels[chosen]:
            if way == "shuffled":
                kernel.copy_(kernel[torch.randperm(len(kernel), generator=chance)])
            else:
                kernel.copy_(torch.randn(kernel.shape, generator=chance) * kernel.std())
