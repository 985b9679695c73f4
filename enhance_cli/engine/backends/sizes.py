"""How large every blob of a graph is, for a picture of a given size."""

from __future__ import annotations

from math import prod
from typing import cast

from enhance_cli.engine.backends.graph import LEVEL, PICTURE, Graph, Layer

Size = tuple[int, int, int]
"""(channels, height, width)."""
LARGE = 960
"""Side of a picture that every network can halve or part as often as it wants."""


def sizes(graph: Graph, height: int, width: int) -> dict[int, Size]:
    """The size of every blob; a vector counts as a map of one pixel."""
    found: dict[int, Size] = {PICTURE: (graph.channels, height, width)}
    if graph.level is not None:
        shrink = graph.level.shrink
        found[LEVEL] = (graph.level.channels, height // shrink, width // shrink)
    for layer in graph.layers:
        found[layer.output] = _size(layer, [found[blob] for blob in layer.inputs])
    return found


def floats_per_pixel(graph: Graph) -> float:
    """Numbers in the largest blob for each pixel of the picture."""
    return max(map(prod, sizes(graph, LARGE, LARGE).values())) / LARGE**2


def _size(layer: Layer, given: list[Size]) -> Size:
    _, height, width = given[0]
    if layer.kind in ("Convolution", "ConvolutionDepthWise"):
        return integer(layer, 0), _window(layer, height, 10), _window(layer, width, 0)
    if layer.kind == "Deconvolution":
        return integer(layer, 0), _window_back(layer, height, 10), _window_back(layer, width, 0)
    if layer.kind == "Concat":
        return sum(size[0] for size in given), height, width
    if layer.kind == "BinaryOp":
        return cast(Size, tuple(map(max, zip(*given, strict=True))))
    return _reshaped(layer, given[0])


def _reshaped(layer: Layer, given: Size) -> Size:
    channels, height, width = given
    if layer.kind == "PixelShuffle":
        n = integer(layer, 0)
        return channels // n**2, height * n, width * n
    if layer.kind == "Reorg":
        n = integer(layer, 0)
        return channels * n**2, height // n, width // n
    if layer.kind == "Interp":
        factor = cast(float, layer.options[1])
        return channels, round(height * factor), round(width * factor)
    if layer.kind == "Padding":
        top, bottom, left, right = (integer(layer, key) for key in range(4))
        return channels, height + top + bottom, width + left + right
    if layer.kind in ("Reduction", "InnerProduct"):
        return integer(layer, 0) if layer.kind == "InnerProduct" else channels, 1, 1
    return given


def integer(layer: Layer, key: int) -> int:
    """A whole-numbered option; 0 where the layer does not have it."""
    value = layer.options.get(key, 0)
    assert isinstance(value, int)
    return value


def _window(layer: Layer, side: int, axis: int) -> int:
    kernel, dilation, stride, padding = (integer(layer, axis + key) for key in range(1, 5))
    return (side + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1


def _window_back(layer: Layer, side: int, axis: int) -> int:
    kernel, dilation, stride, padding = (integer(layer, axis + key) for key in range(1, 5))
    extra = integer(layer, 19 if axis else 18)
    return (side - 1) * stride - 2 * padding + dilation * (kernel - 1) + 1 + extra
