"""Writes down what a module computes, by running it once on a small input and listening to torch.

What depends on the input becomes layers; everything else (weights, sizes) is known once the module has run.
Sizes do not appear in the layers, so the graph serves all sizes, provided that the module does not branch
on them: the probe, which has another size, would show it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from enhance_cli.arch.contract import ArchSpec
from enhance_cli.engine.backends.graph import Graph, Unsupported
from enhance_cli.engine.backends.operations import HANDLERS
from enhance_cli.engine.backends.recorder import Recorder
from enhance_cli.engine.imaginary import NOT_IMAGINABLE
from enhance_cli.engine.tiles import round_up

SIDE = 16
"""Of the input, where the network takes so small ones."""
LOOKS = ("__get__", "size", "dim", "numel", "is_floating_point")
"""Functions that tell sizes and types, no values."""


def trace(module: nn.Module, spec: ArchSpec) -> Graph:
    """The module's graph; Unsupported names the first thing that cannot be expressed.

    `module`: float32, on the CPU, in eval mode.
    """
    height = round_up(max(SIDE, spec.minimum), spec.multiple)
    x = torch.zeros(1, 3 if spec.colour == "rgb" else 1, height, height + spec.multiple)
    level = torch.zeros(1, 1, 1, 1) if spec.condition else None
    recorder = Recorder(x, level)
    try:
        with torch.no_grad(), _Listener(recorder):
            y = module(x) if level is None else module(x, level)
    except NOT_IMAGINABLE as error:
        raise Unsupported("a small picture, which it cannot be run on") from error
    return recorder.graph(y if spec.output is None else y[spec.output])


class _Listener(TorchFunctionMode):
    """Hears the outermost calls of torch and has them recorded."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self._recorder = recorder

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        if any(map(self._recorder.depends, _flat((*args, *kwargs.values())))):
            self._record(getattr(func, "__name__", str(func)), out, args, kwargs)
        return out

    def _record(self, name: str, out: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> None:
        if name in LOOKS and not isinstance(out, Tensor):
            return
        if name not in HANDLERS or not isinstance(out, Tensor) or out.dtype != torch.float32:
            raise Unsupported(name.strip("_"))
        try:
            HANDLERS[name](self._recorder, out, *args, **kwargs)
        except TypeError as error:  # arguments that the handler does not know
            raise Unsupported(f"{name.strip('_')} with these arguments") from error


def _flat(values: Sequence[Any]) -> Iterator[Any]:
    for value in values:
        if isinstance(value, (tuple, list)):
            yield from _flat(value)
        else:
            yield value
