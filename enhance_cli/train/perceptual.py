"""The perceptual loss of SRGAN (Ledig et al., CVPR 2017, equation 5): distance between features of VGG19.

VGG19 (Simonyan and Zisserman 2015) is not ours and not shipped: its weights are the user's, a file in the
layout of torchvision's vgg19, of which the convolutions are read.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from enhance_cli.checkpoints.raw import read_raw
from enhance_cli.errors import ModelError
from enhance_cli.train.losses import Output, final

STAGES = ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4))
"""Channels and convolutions up to each pooling."""
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's pictures in RGB, 0..1, by which what VGG19 is given is normalised."""
SCALE = 1 / 12.75
"""Brings the loss to the size of a squared error (section 3.2)."""


class Perceptual:
    """Mean squared difference of VGG54: the fourth convolution before the fifth pooling, after its ReLU.

    Ledig et al. 2017, equation 5.
    """

    def __init__(self, path: Path, device: torch.device) -> None:
        """Read VGG19 from a file in torchvision's layout; ModelError in one line if it is none."""
        features = vgg54()
        wanted = features.state_dict(prefix="features.")
        tensors = read_raw(path).tensors
        for key, own in wanted.items():
            if key not in tensors or tensors[key].shape != own.shape:
                raise ModelError(
                    f"{path} has no weight {key!r} of shape {tuple(own.shape)}; "
                    "give torchvision's vgg19 (without batch norm)"
                )
        given = {key.removeprefix("features."): tensors[key].float() for key in wanted}
        features.load_state_dict(given, assign=True)
        features.requires_grad_(False)
        self.features = features.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.mean, self.std = (torch.tensor(v, device=device).view(3, 1, 1) for v in (MEAN, STD))

    def __call__(self, output: Output, target: Tensor) -> Tensor:
        """RGB in 0..1, (N, 3, H, W) with H and W 16 or more."""
        return F.mse_loss(self._seen(final(output)), self._seen(target))

    def _seen(self, picture: Tensor) -> Tensor:
        normal = (picture - self.mean) / self.std
        return SCALE * self.features(normal.contiguous(memory_format=torch.channels_last))


def vgg54() -> nn.Sequential:
    """VGG19 up to its last activation, without storage, with the indices of torchvision's `features`."""
    layers: list[nn.Module] = []
    n_in = 3
    with torch.device("meta"):
        for n_out, n_convs in STAGES:
            for _ in range(n_convs):
                layers += [nn.Conv2d(n_in, n_out, 3, padding=1), nn.ReLU()]
                n_in = n_out
            layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers[:-1])
