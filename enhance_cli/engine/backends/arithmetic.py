"""Arithmetic of torch as ncnn has it: numbered options and the order of weights.

A handler is given the recorder, the tensor y that torch made, and the arguments that torch was given.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from enhance_cli.engine.backends.graph import Options, Unsupported
from enhance_cli.engine.backends.recorder import Recorder

ADD, SUBTRACT, MULTIPLY = 0, 1, 2
"""ncnn's numbers of binary operations."""


def conv(
    to: Recorder,
    y: Tensor,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> None:
    """Convolution, in groups or not."""
    if isinstance(padding, str):
        raise Unsupported(f"padding {padding!r}")
    options = _window(weight, stride, padding, dilation) | {0: weight.shape[0], 5: 1, 6: weight.numel()}
    if groups == 1:
        to.add(y, "Convolution", [x], options, weight, _bias(bias, weight.shape[0]))
    else:
        to.add(y, "ConvolutionDepthWise", [x], options | {7: groups}, weight, _bias(bias, weight.shape[0]))


def deconv(
    to: Recorder,
    y: Tensor,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> None:
    """Transposed convolution."""
    if groups > 1:
        raise Unsupported("transposed convolution in groups")
    n_out = weight.shape[1]
    extra_rows, extra_columns = _pair(output_padding)
    options = _window(weight, stride, padding, dilation)
    options |= {0: n_out, 5: 1, 6: weight.numel(), 18: extra_columns, 19: extra_rows}
    to.add(y, "Deconvolution", [x], options, to.constant(weight).transpose(0, 1), _bias(bias, n_out))


def linear(to: Recorder, y: Tensor, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> None:
    """Fully connected layer on vectors."""
    if x.ndim != 2:
        raise Unsupported("a fully connected layer on maps")
    n_out = weight.shape[0]
    options: Options = {0: n_out, 1: 1, 2: weight.numel()}
    to.add(y, "InnerProduct", [x], options, weight, _bias(bias, n_out))


def batch_norm(
    to: Recorder,
    y: Tensor,
    x: Tensor,
    mean: Tensor | None,
    var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> None:
    """Batch norm with its stored statistics."""
    if training or mean is None or var is None:
        raise Unsupported("batch norm without stored statistics")
    factor = (1.0 if weight is None else weight.double()) / (var.double() + eps).sqrt()
    shift = (0.0 if bias is None else bias.double()) - mean.double() * factor
    _scale(to, y, x, factor, shift)


def _scale(to: Recorder, y: Tensor, x: Tensor, factor: Tensor | float, shift: Tensor | float) -> None:
    """y = factor x + shift, numbers or (C,) each, kept in float64 because they may be joined with others."""
    n = x.shape[1]
    weights = (torch.as_tensor(one, dtype=torch.float64).expand(n).clone() for one in (factor, shift))
    to.add(y, "Scale", [x], {0: n, 1: 1}, *weights)


def relu(to: Recorder, y: Tensor, x: Tensor, inplace: bool = False) -> None:
    """ReLU."""
    leaky_relu(to, y, x, 0.0, inplace)


def leaky_relu(
    to: Recorder, y: Tensor, x: Tensor, negative_slope: float = 0.01, inplace: bool = False
) -> None:
    """ReLU with a slope below zero."""
    if inplace:
        raise Unsupported("changes in place")
    to.add(y, "ReLU", [x], {0: float(negative_slope)})


def prelu(to: Recorder, y: Tensor, x: Tensor, weight: Tensor) -> None:
    """ReLU with one trained slope, or one for each channel."""
    to.add(y, "PReLU", [x], {0: weight.numel()}, weight)


def sigmoid(to: Recorder, y: Tensor, x: Tensor) -> None:
    """Logistic function."""
    to.add(y, "Sigmoid", [x], {})


def tanh(to: Recorder, y: Tensor, x: Tensor) -> None:
    """Hyperbolic tangent."""
    to.add(y, "TanH", [x], {})


def plus(to: Recorder, y: Tensor, a: Any, b: Any, *, alpha: float = 1) -> None:
    """a + b, maps or one of them constant."""
    if alpha != 1:
        raise Unsupported("a weighted sum")
    if to.knows(a) and to.knows(b):
        _binary(to, y, a, b, ADD)
    else:
        x, constant = (a, b) if to.knows(a) else (b, a)
        _scale(to, y, x, 1.0, _channelwise(to, constant, x))


def minus(to: Recorder, y: Tensor, a: Any, b: Any, *, alpha: float = 1) -> None:
    """a - b, likewise."""
    if alpha != 1:
        raise Unsupported("a weighted difference")
    if to.knows(a) and to.knows(b):
        _binary(to, y, a, b, SUBTRACT)
    elif to.knows(a):
        _scale(to, y, a, 1.0, -_channelwise(to, b, a))
    else:
        _scale(to, y, b, -1.0, _channelwise(to, a, b))


def minus_from(to: Recorder, y: Tensor, a: Any, b: Any) -> None:
    """b - a, likewise."""
    minus(to, y, b, a)


def times(to: Recorder, y: Tensor, a: Any, b: Any) -> None:
    """a b, likewise."""
    if to.knows(a) and to.knows(b):
        _binary(to, y, a, b, MULTIPLY)
    else:
        x, constant = (a, b) if to.knows(a) else (b, a)
        _scale(to, y, x, _channelwise(to, constant, x), 0.0)


def over(to: Recorder, y: Tensor, a: Any, b: Any, *, rounding_mode: str | None = None) -> None:
    """a over a constant b."""
    if to.knows(b) or rounding_mode:
        raise Unsupported("division by a map, or with rounding")
    _scale(to, y, a, 1 / _channelwise(to, b, a), 0.0)


def _binary(to: Recorder, y: Tensor, a: Tensor, b: Tensor, operation: int) -> None:
    if a.ndim != b.ndim:
        raise Unsupported("arithmetic of maps with different dimensions")
    to.add(y, "BinaryOp", [a, b], {0: operation})


def _pair(value: Any) -> tuple[int, int]:
    """(vertical, horizontal)."""
    return (value, value) if isinstance(value, int) else (value[0], value[-1])


def _window(weight: Tensor, stride: Any, padding: Any, dilation: Any) -> Options:
    """Kernel, dilation, stride and padding: horizontal ones are 1 to 4, vertical ones 11 to 14."""
    pairs = (tuple(weight.shape[2:]), _pair(dilation), _pair(stride), _pair(padding))
    options: Options = {}
    for number, (vertical, horizontal) in enumerate(pairs, 1):
        options |= {number: horizontal, 10 + number: vertical}
    return options


def _bias(bias: Tensor | None, n: int) -> Tensor:
    return torch.zeros(n) if bias is None else bias


def _channelwise(to: Recorder, constant: Any, x: Tensor) -> Tensor:
    """A number or (1, C, 1, 1) as (C,), in float64."""
    values = torch.as_tensor(to.constant(constant), dtype=torch.float64)
    n = x.shape[1]
    if values.numel() == 1:
        return values.reshape(()).expand(n)
    if values.numel() != n or values.shape[-3:] != (n, 1, 1):
        raise Unsupported("arithmetic with a map of constants")
    return values.reshape(-1)
