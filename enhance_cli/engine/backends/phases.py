"""Dilated convolutions as plain ones, which ncnn does by Winograd: several times as fast.

A convolution of dilation d never mixes pixels whose row or column differs by anything but a multiple of d.
So the picture falls into d x d phases, each a picture of its own on which the convolution is plain.  `Reorg`
makes them groups of channels, a convolution in groups does them all, `PixelShuffle` puts them back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import lcm, prod
from typing import cast

from torch import Tensor

from enhance_cli.engine.backends.graph import Graph, Layer, Options
from enhance_cli.engine.backends.sizes import Size, integer, sizes
from enhance_cli.engine.tiles import round_up

BY_GROUPS = 1
"""ncnn's mode in which the position within a cell is the outer part of a channel's number."""
REST = -233
"""A crop to whatever its offsets leave."""


def period(graph: Graph) -> int:
    """Pictures whose sides differ by a multiple of this are served by the same `phased` graph."""
    dilations = lcm(*map(_dilation, graph.layers))
    # Maps shrunk by n repeat their remainders only after n times as many pixels of the picture.
    return dilations * prod(map(_shrinking, graph.layers)) if dilations > 1 else 1


def phased(graph: Graph, height: int, width: int) -> Graph:
    """The graph for pictures of that size, by phases where it is dilated."""
    found = sizes(graph, height, width)
    common: dict[int, int] = {}
    for layer in graph.layers:
        if (dilation := _dilation(layer)) > 1:
            common[layer.inputs[0]] = lcm(common.get(layer.inputs[0], 1), dilation)
    writer = _Writer(max(found) + 1)
    for layer in graph.layers:
        blob = layer.inputs[0]
        if _dilation(layer) == 1:
            writer.layers.append(layer)
        else:
            writer.by_phases(layer, found[blob], common[blob])
    return replace(graph, layers=tuple(writer.layers))


def _shrinking(layer: Layer) -> int:
    """By how much the layer divides sides; where both differ, a multiple of either."""
    if layer.kind == "Reorg":
        return integer(layer, 0)
    if layer.kind in ("Convolution", "ConvolutionDepthWise"):
        return lcm(integer(layer, 3), integer(layer, 13))
    if layer.kind == "Interp":
        return max(1, round(1 / cast(float, layer.options[1])))
    return 1


def _dilation(layer: Layer) -> int:
    """Of a convolution that can be done by phases: square, odd, without stride, the same size out as in."""
    if layer.kind != "Convolution":
        return 1
    kernel, dilation, stride, padding = (integer(layer, key) for key in range(1, 5))
    square = all(integer(layer, key) == integer(layer, 10 + key) for key in range(1, 5))
    centred = kernel % 2 == 1 and 2 * padding == dilation * (kernel - 1)
    return dilation if square and stride == 1 and centred else 1


@dataclass
class _Writer:
    next_blob: int

    def __post_init__(self) -> None:
        self.layers: list[Layer] = []
        self._padded: dict[int, int] = {}

    def by_phases(self, layer: Layer, size: Size, multiple: int) -> None:
        """Append what does the same; `size` is that of the input, which is filled up to the multiple."""
        dilation = _dilation(layer)
        (blob,) = layer.inputs
        missing = [round_up(side, multiple) - side for side in size[1:]]
        if any(missing):
            blob = self._filled(blob, missing)
        blob = self._add("Reorg", blob, {0: dilation, 1: BY_GROUPS})
        blob = self._add_plain(layer, blob, dilation)
        blob = self._add("PixelShuffle", blob, {0: dilation, 1: BY_GROUPS})
        if any(missing):
            blob = self._add("Crop", blob, {3: REST, 4: REST, 5: REST, 6: missing[1], 7: missing[0]})
        self.layers[-1] = replace(self.layers[-1], output=layer.output)

    def _filled(self, blob: int, missing: list[int]) -> int:
        """Zeros below and to the right, as the convolution's own padding has them; once for all takers."""
        if blob not in self._padded:
            options: Options = {0: 0, 1: missing[0], 2: 0, 3: missing[1], 4: 0, 5: 0.0}
            self._padded[blob] = self._add("Padding", blob, options)
        return self._padded[blob]

    def _add_plain(self, layer: Layer, blob: int, dilation: int) -> int:
        """The convolution with the same weights for each of the phases, as groups."""
        groups = dilation**2
        weight, bias = layer.weights
        margin = integer(layer, 1) // 2
        options = layer.options | {0: groups * integer(layer, 0), 6: groups * weight.numel(), 7: groups}
        options |= {2: 1, 12: 1, 4: margin, 14: margin}
        weights = (weight.repeat(groups, 1, 1, 1), bias.repeat(groups))
        return self._add("ConvolutionDepthWise", blob, options, *weights)

    def _add(self, kind: str, blob: int, options: Options, *weights: Tensor) -> int:
        output, self.next_blob = self.next_blob, self.next_blob + 1
        self.layers.append(Layer(kind, (blob,), output, options, weights))
        return output
