"""A narrow network in the layout of torchvision's vgg19, for tests of the perceptual loss."""

from pathlib import Path

import torch

NARROW = ((2, 2), (2, 2), (3, 4), (3, 4), (4, 4))
PLACES = (0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34)
"""Of the convolutions among torchvision's `features`."""


def vgg_tensors() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    widths = [n for n, count in NARROW for _ in range(count)]
    tensors = {"classifier.0.weight": torch.zeros(2, 2)}
    for place, n_in, n_out in zip(PLACES, [3, *widths], widths, strict=False):
        tensors[f"features.{place}.weight"] = torch.randn(n_out, n_in, 3, 3, generator=generator)
        tensors[f"features.{place}.bias"] = torch.randn(n_out, generator=generator)
    return tensors


def write_vgg(path: Path) -> None:
    torch.save(vgg_tensors(), path)
