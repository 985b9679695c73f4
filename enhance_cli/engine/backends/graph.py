"""A network as a list of layers, named and numbered as ncnn does it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

from torch import Tensor

PICTURE, LEVEL = 0, 1
"""Blobs of the inputs: the picture, and the map that tells the condition."""
CONVOLUTIONS = ("Convolution", "ConvolutionDepthWise", "Deconvolution", "InnerProduct")
"""Kinds with `weights` (weight, bias): weight out channels first, bias one for each of them."""

Options = dict[int, int | float | list[int] | list[float]]
"""ncnn's numbered parameters of a layer; their meaning depends on its kind."""


class Unsupported(Exception):
    """The network holds something that has no counterpart here; the text says what, in a few words."""


@dataclass(frozen=True)
class Layer:
    """One step from blobs to one blob."""

    kind: str
    inputs: tuple[int, ...]
    output: int
    options: Options
    weights: tuple[Tensor, ...] = ()


@dataclass(frozen=True)
class Level:
    """The map that tells the condition, as the network wants it joined."""

    channels: int
    shrink: int
    """Side of the picture over side of the map."""


@dataclass(frozen=True)
class Graph:
    """Layers in the order of computation, and the blob that is the result."""

    layers: tuple[Layer, ...]
    output: int
    channels: int
    """Of the picture."""
    level: Level | None = None

    def uses(self) -> Counter[int]:
        """How many layers take each blob; the result counts as taken once more."""
        return Counter([*(blob for layer in self.layers for blob in layer.inputs), self.output])

    def needed(self) -> Graph:
        """The graph without layers that the result does not depend on."""
        wanted, kept = {self.output}, []
        for layer in reversed(self.layers):
            if layer.output in wanted:
                wanted.update(layer.inputs)
                kept.append(layer)
        return replace(self, layers=tuple(reversed(kept)))
