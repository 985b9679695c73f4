"""Joins layers that one can do: same result up to rounding, fewer passes through memory."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from enhance_cli.engine.backends.graph import CONVOLUTIONS, Graph, Layer, Options

ACTIVATION = 9
"""Option that holds the kind of activation; the next one holds its parameters."""


def fold(graph: Graph) -> Graph:
    """The same network with norms, factors, mean shifts and activations inside the convolutions before."""
    layers: list[Layer] = []
    uses = graph.uses()
    made_by: dict[int, int] = {}
    for layer in graph.layers:
        before = made_by.get(layer.inputs[0])
        joined = None
        if before is not None and uses[layer.inputs[0]] == 1:
            joined = _joined(layers[before], layer)
        if joined is None:
            before, joined = len(layers), layer
            layers.append(layer)
        assert before is not None
        layers[before] = joined
        made_by[layer.output] = before
    return replace(graph, layers=tuple(layers))


def _joined(first: Layer, second: Layer) -> Layer | None:
    """One layer for two, where `second` alone takes what `first` gives; None where there is none."""
    if len(second.inputs) > 1:
        return None
    if first.kind == second.kind == "Scale":
        factor, shift = second.weights
        weights = (first.weights[0] * factor, first.weights[1] * factor + shift)
        return replace(first, output=second.output, weights=weights)
    if first.kind not in CONVOLUTIONS or ACTIVATION in first.options:
        return None
    if second.kind == "Scale":
        factor, shift = second.weights
        weights = (_times_channels(first.weights[0], factor), first.weights[1] * factor + shift)
        return replace(first, output=second.output, weights=weights)
    if second.kind == "Convolution":
        return _pointwise(first, second)
    return _activated(first, second)


def _times_channels(weight: Tensor, factor: Tensor) -> Tensor:
    return weight.double() * factor.view(-1, *[1] * (weight.ndim - 1))


def _pointwise(first: Layer, second: Layer) -> Layer | None:
    """A 1x1 convolution taken into the one before, where that makes less work: mean shifts after the tail."""
    matrix, bias = (one.double() for one in second.weights)
    n_out, n_between = matrix.shape[:2]
    plain = matrix.shape[2:] == (1, 1) and all(
        second.options.get(key, 0) == value for key, value in {3: 1, 13: 1, 4: 0, 14: 0}.items()
    )
    if first.kind != "Convolution" or not plain or n_out > n_between:
        return None
    matrix = matrix[:, :, 0, 0]
    weight = torch.einsum("om,mikl->oikl", matrix, first.weights[0].double())
    options = first.options | {0: n_out, 6: weight.numel()}
    shift = matrix @ first.weights[1].double() + bias
    return replace(first, output=second.output, options=options, weights=(weight, shift))


def _activated(first: Layer, second: Layer) -> Layer | None:
    """A ReLU or sigmoid taken into the convolution before it."""
    if second.kind == "Sigmoid":
        options = first.options | {ACTIVATION: 4}
    elif second.kind == "ReLU":
        slope = float(second.options[0])  # type: ignore[arg-type]
        leaky: Options = {ACTIVATION: 2, ACTIVATION + 1: [slope]}
        options = first.options | (leaky if slope else {ACTIVATION: 1})
    else:
        return None
    return replace(first, output=second.output, options=options)
