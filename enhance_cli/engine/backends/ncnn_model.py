"""Writes a graph as ncnn's two files: `.param`, layers as text, and `.bin`, their weights in that order."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from enhance_cli.engine.backends.graph import CONVOLUTIONS, LEVEL, Graph, Layer, Options

MAGIC = 7767517
"""First line of every `.param`."""
FLOAT32 = b"\0\0\0\0"
"""Stands before the weight of a convolution, whose type ncnn lets vary."""
PICTURE_NAME, LEVEL_NAME, RESULT_NAME = "picture", "level", "result"


@dataclass(frozen=True)
class Model:
    """What ncnn loads."""

    param: str
    weights: bytes


def write(graph: Graph) -> Model:
    """The graph as ncnn reads it: a blob that several layers take is split into one for each."""
    names = _Names(graph)
    inputs = [(0, PICTURE_NAME)] + ([(LEVEL, LEVEL_NAME)] if graph.level else [])
    lines = [line for blob, name in inputs for line in names.made("Input", (), blob, {}, name)]
    for layer in graph.layers:
        taken = tuple(names.take(blob) for blob in layer.inputs)
        lines += names.made(layer.kind, taken, layer.output, layer.options)
    head = f"{MAGIC}\n{len(lines)} {names.count}\n"
    return Model(head + "".join(f"{line}\n" for line in lines), b"".join(map(_weights, graph.layers)))


class _Names:
    """Names of blobs; every taker of a blob gets a name of its own."""

    def __init__(self, graph: Graph) -> None:
        self._uses = graph.uses()
        self._result = graph.output
        self._free: dict[int, list[str]] = defaultdict(list)
        self.count = 0
        self._n_layers = 0

    def take(self, blob: int) -> str:
        return self._free[blob].pop(0)

    def made(
        self, kind: str, taken: tuple[str, ...], blob: int, options: Options, name: str | None = None
    ) -> list[str]:
        """Lines of the layer that makes the blob, and of the split that follows it."""
        uses = self._uses[blob]
        name = name or f"b{blob}"
        parts = [f"{name}_{i}" for i in range(uses)] if uses > 1 else [name]
        if blob == self._result:
            parts[-1] = RESULT_NAME
        self._free[blob] = list(parts)
        if uses < 2:
            return [self._line(kind, taken, parts, options)]
        return [self._line(kind, taken, [name], options), self._line("Split", (name,), parts, {})]

    def _line(self, kind: str, taken: tuple[str, ...], given: list[str], options: Options) -> str:
        self.count += len(given)
        self._n_layers += 1
        words = [kind, f"layer{self._n_layers}", str(len(taken)), str(len(given)), *taken, *given]
        return " ".join([*words, *(_option(key, value) for key, value in sorted(options.items()))])


def _option(key: int, value: int | float | list[int] | list[float]) -> str:
    # Floats are known by their point or exponent, and lists by a key far below zero.
    if isinstance(value, list):
        return f"{-23300 - key}={len(value)},{','.join(map(repr, value))}"
    return f"{key}={value!r}"


def _weights(layer: Layer) -> bytes:
    arrays = [np.ascontiguousarray(one.float().numpy(), "<f4").tobytes() for one in layer.weights]
    return b"".join([FLOAT32 if layer.kind in CONVOLUTIONS else b"", *arrays])
