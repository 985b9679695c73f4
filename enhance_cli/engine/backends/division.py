"""Parts a network that enlarges at its end: the many layers at the picture's size, and the few beyond.

The few hold maps many times as large.  They see only a few pixels further, so that small pieces cost them
little; the many would waste most of their work on the margins of pieces as small.
"""

from __future__ import annotations

from dataclasses import replace

from enhance_cli.engine.backends.graph import PICTURE, Graph, Layer
from enhance_cli.engine.backends.sizes import LARGE, Size, floats_per_pixel, integer, sizes

LOCAL = ("Convolution", "PixelShuffle", "ReLU", "PReLU", "Scale", "Sigmoid")
"""Kinds that the second part may consist of: chains of these see a fixed distance."""
WORTH = 2
"""How many times as much the largest map of the whole must take as that of the first part."""


def divide(graph: Graph) -> tuple[Graph, Graph] | None:
    """Two graphs, of which the second takes what the first gives; None where that would gain nothing."""
    found = sizes(graph, LARGE, LARGE)
    places = [i for i in range(1, len(graph.layers)) if _may_part(graph, found, i)]
    if not places:
        return None
    # The fewest channels have to be handed over, and of these places the last leaves least for the pieces.
    place = min(reversed(places), key=lambda i: found[graph.layers[i - 1].output][0])
    blob = graph.layers[place - 1].output
    first = replace(graph, layers=graph.layers[:place], output=blob)
    if floats_per_pixel(graph) < WORTH * floats_per_pixel(first):
        return None
    second = tuple(
        replace(layer, inputs=tuple(PICTURE if one == blob else one for one in layer.inputs))
        for layer in graph.layers[place:]
    )
    return first, Graph(second, graph.output, found[blob][0])


def reach(graph: Graph) -> int:
    """How many pixels of its input, on each side, a chain of local layers sees beyond an output's place."""
    pixels = 0
    for layer in reversed(graph.layers):
        if layer.kind == "PixelShuffle":
            pixels = -(-pixels // integer(layer, 0))
        if layer.kind == "Convolution":
            pixels += max(integer(layer, 4), integer(layer, 14))
    return pixels


def _may_part(graph: Graph, found: dict[int, Size], place: int) -> bool:
    """Whether one blob of the picture's size is all that the layers from `place` on, all local, need."""
    before, after = graph.layers[:place], graph.layers[place:]
    needed = {blob for layer in after for blob in layer.inputs} - {layer.output for layer in after}
    blob = before[-1].output
    return needed == {blob} and found[blob][1:] == (LARGE, LARGE) and all(map(_is_local, after))


def _is_local(layer: Layer) -> bool:
    if layer.kind != "Convolution":
        return layer.kind in LOCAL
    keeps_size = all(
        integer(layer, axis + 3) == 1
        and 2 * integer(layer, axis + 4) == integer(layer, axis + 2) * (integer(layer, axis + 1) - 1)
        for axis in (0, 10)
    )
    return keeps_size
