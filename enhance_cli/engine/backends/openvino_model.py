"""Writes a graph as OpenVINO's operations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from enhance_cli.engine.backends import arithmetic, operations
from enhance_cli.engine.backends.fold import ACTIVATION
from enhance_cli.engine.backends.graph import LEVEL, PICTURE, Graph, Layer, Unsupported
from enhance_cli.engine.backends.sizes import integer

ANY = -1
"""A side that may be anything."""
Writer = Callable[[Any, Layer, list[Any]], Any]
"""(opset, layer, nodes of its inputs) -> node of its output; all are (1, C, H, W), vectors too."""


def write(graph: Graph, openvino: Any) -> Any:
    """The graph as an `openvino.Model` for pictures of any size.

    Its inputs are the picture and, where there is one, the map that tells the condition.  Unsupported where
    a layer has no counterpart.
    """
    ops = openvino.opset13
    channels = {PICTURE: graph.channels} | ({LEVEL: graph.level.channels} if graph.level else {})
    given = {blob: ops.parameter([1, n, ANY, ANY], np.float32) for blob, n in channels.items()}
    nodes = dict(given)
    for layer in graph.layers:
        if layer.kind not in WRITERS:
            raise Unsupported(f"{layer.kind} in OpenVINO")
        nodes[layer.output] = WRITERS[layer.kind](ops, layer, [nodes[blob] for blob in layer.inputs])
    return openvino.Model([ops.result(nodes[graph.output])], list(given.values()))


def _convolution(ops: Any, layer: Layer, given: list[Any]) -> Any:
    weight, bias = layer.weights
    y = ops.convolution(given[0], _array(weight), **_window(layer))
    return _finished(ops, layer, y, bias)


def _grouped(ops: Any, layer: Layer, given: list[Any]) -> Any:
    weight, bias = layer.weights
    groups = integer(layer, 7)
    kernels = _array(weight).reshape(groups, -1, *weight.shape[1:])
    return _finished(ops, layer, ops.group_convolution(given[0], kernels, **_window(layer)), bias)


def _deconvolution(ops: Any, layer: Layer, given: list[Any]) -> Any:
    weight, bias = layer.weights
    extra = [integer(layer, 19), integer(layer, 18)]
    kernels = _array(weight.transpose(0, 1))
    y = ops.convolution_backprop_data(given[0], kernels, output_padding=extra, **_window(layer))
    return _finished(ops, layer, y, bias)


def _inner_product(ops: Any, layer: Layer, given: list[Any]) -> Any:
    weight, bias = layer.weights
    zero, one = [0, 0], [1, 1]
    y = ops.convolution(given[0], _array(weight)[:, :, None, None], one, zero, zero, one)
    return _finished(ops, layer, y, bias)


def _scale(ops: Any, layer: Layer, given: list[Any]) -> Any:
    factor, shift = layer.weights
    y = ops.multiply(given[0], _channelwise(factor))
    return ops.add(y, _channelwise(shift)) if shift.any() else y


def _relu(ops: Any, layer: Layer, given: list[Any]) -> Any:
    return _leaky(ops, given[0], float(layer.options[0]))  # type: ignore[arg-type]


def _prelu(ops: Any, layer: Layer, given: list[Any]) -> Any:
    return ops.prelu(given[0], _array(layer.weights[0]))


def _binary(ops: Any, layer: Layer, given: list[Any]) -> Any:
    kinds = {arithmetic.ADD: ops.add, arithmetic.SUBTRACT: ops.subtract, arithmetic.MULTIPLY: ops.multiply}
    return kinds[integer(layer, 0)](*given)


def _interpolated(ops: Any, layer: Layer, given: list[Any]) -> Any:
    factor = float(layer.options[1])  # type: ignore[arg-type]
    if factor < 1:  # the first of each step
        step = round(1 / factor)
        return ops.slice(given[0], _whole(0, 0), _whole(END, END), _whole(step, step), _whole(2, 3))
    nearest = integer(layer, 0) == operations.NEAREST
    return ops.interpolate(
        given[0],
        np.array([factor, factor], np.float32),
        mode="nearest" if nearest else "linear_onnx",
        shape_calculation_mode="scales",
        coordinate_transformation_mode="asymmetric" if nearest else "half_pixel",
        nearest_mode="floor",
        axes=_whole(2, 3),
    )


def _padded(ops: Any, layer: Layer, given: list[Any]) -> Any:
    modes = {number: name for name, number in operations.PADDING.items()} | {1: "edge"}
    top, bottom, left, right = (integer(layer, key) for key in range(4))
    value = np.float32(layer.options[5])  # type: ignore[arg-type]
    return ops.pad(
        given[0], _whole(0, 0, top, left), _whole(0, 0, bottom, right), modes[integer(layer, 4)], value
    )


def _mean(ops: Any, layer: Layer, given: list[Any]) -> Any:
    # Axes are counted without the batch.  The axis goes and comes back, because OpenVINO would join means
    # that keep theirs, and then add up a whole map number by number.
    axes: Any = layer.options[3]
    where = _whole(*(axis + 1 for axis in axes))
    return ops.unsqueeze(ops.reduce_mean(given[0], where, keep_dims=False), where)


WRITERS: Mapping[str, Writer] = {
    "Convolution": _convolution,
    "ConvolutionDepthWise": _grouped,
    "Deconvolution": _deconvolution,
    "InnerProduct": _inner_product,
    "Scale": _scale,
    "ReLU": _relu,
    "PReLU": _prelu,
    "Sigmoid": lambda ops, layer, given: ops.sigmoid(given[0]),
    "TanH": lambda ops, layer, given: ops.tanh(given[0]),
    "BinaryOp": _binary,
    "Concat": lambda ops, layer, given: ops.concat(given, axis=1),
    "PixelShuffle": lambda ops, layer, given: ops.depth_to_space(given[0], "depth_first", integer(layer, 0)),
    "Reorg": lambda ops, layer, given: ops.space_to_depth(given[0], "depth_first", integer(layer, 0)),
    "Interp": _interpolated,
    "Padding": _padded,
    "Reduction": _mean,
    "Reshape": lambda ops, layer, given: given[0],
}
"""By the kind of layer that `arithmetic` and `operations` make."""
END = np.iinfo(np.int64).max


def _finished(ops: Any, layer: Layer, y: Any, bias: Tensor) -> Any:
    """With bias and with the activation that was folded in."""
    y = ops.add(y, _channelwise(bias)) if bias.any() else y
    kind = layer.options.get(ACTIVATION, 0)
    if kind == 0:
        return y
    if kind == 4:
        return ops.sigmoid(y)
    slope: Any = layer.options.get(ACTIVATION + 1, [0.0])
    return _leaky(ops, y, slope[0])


def _leaky(ops: Any, x: Any, slope: float) -> Any:
    return ops.prelu(x, np.array([slope], np.float32)) if slope else ops.relu(x)


def _window(layer: Layer) -> dict[str, list[int]]:
    """Stride, padding and dilation, vertical before horizontal."""
    dilation, stride, padding = ([integer(layer, 10 + key), integer(layer, key)] for key in (2, 3, 4))
    return {"strides": stride, "pads_begin": padding, "pads_end": padding, "dilations": dilation}


def _channelwise(values: Tensor) -> NDArray[np.float32]:
    return _array(values).reshape(1, -1, 1, 1)


def _array(values: Tensor) -> NDArray[np.float32]:
    return np.ascontiguousarray(values.float().numpy())


def _whole(*values: int) -> NDArray[np.int64]:
    return np.array(values, np.int64)
