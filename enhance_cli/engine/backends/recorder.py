"""Collects the layers of a network while it runs, and knows which tensor is which blob."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from enhance_cli.engine.backends.graph import LEVEL, PICTURE, Graph, Layer, Level, Options, Unsupported


class Recorder:
    """Tensors that depend on the input are known here by what they are, not by what they hold."""

    def __init__(self, picture: Tensor, level: Tensor | None) -> None:
        """`picture` and `level` are what the module is called with."""
        self._picture = picture
        self._layers: list[Layer] = []
        self._n_blobs = LEVEL + 1
        self._level: Level | None = None
        self._blobs = {id(picture): PICTURE}
        self._levels = set() if level is None else {id(level)}
        # Tensors are told apart by id, which must not be given away again while the module runs.
        self._alive: list[Tensor | None] = [picture, level]

    def knows(self, x: object) -> bool:
        """Whether x is a map made of the picture, or the map that tells the condition."""
        return id(x) in self._blobs

    def depends(self, x: object) -> bool:
        """Whether x depends on any input; all other tensors are constants."""
        return self.knows(x) or id(x) in self._levels

    def blob(self, x: object) -> int:
        """The blob of a tensor; Unsupported if it is a constant or the bare condition."""
        if not self.knows(x):
            raise Unsupported("arithmetic with constants or with the condition")
        return self._blobs[id(x)]

    def constant(self, x: Any) -> Any:
        """The same x; Unsupported if it depends on an input: its value here says nothing of others."""
        if self.depends(x):
            raise Unsupported("weights or factors made of its input")
        return x

    def add(self, y: Tensor, kind: str, inputs: Sequence[Tensor], options: Options, *weights: Tensor) -> None:
        """Append the layer that makes y."""
        weights = tuple(map(self.constant, weights))
        self._name(y, self._append(kind, tuple(map(self.blob, inputs)), options, weights))

    def add_two(self, y: Tensor, x: Tensor, first: tuple[str, Options], second: tuple[str, Options]) -> None:
        """Append two layers, one behind the other, that make y of x."""
        between = self._append(first[0], (self.blob(x),), first[1], ())
        self._name(y, self._append(second[0], (between,), second[1], ()))

    def same(self, y: Tensor, x: Tensor) -> None:
        """Y is x, perhaps as another object."""
        if id(x) in self._levels:
            self._levels.add(id(y))
            self._alive.append(y)
        else:
            self._name(y, self.blob(x))

    def level_map(self, y: Tensor, x: Tensor) -> None:
        """Y is the condition x spread over a map; all such maps of a network must be alike."""
        shrink, rest = divmod(self._picture.shape[2], y.shape[2])
        level = Level(y.shape[1], shrink)
        fits = rest == 0 and y.shape[3] * shrink == self._picture.shape[3]
        if id(x) not in self._levels or not fits or self._level not in (None, level):
            raise Unsupported("expand")
        self._level = level
        self._name(y, LEVEL)

    def graph(self, y: Any) -> Graph:
        """What makes y; Unsupported if it does not depend on the picture."""
        if not self.knows(y) or not self._layers:
            raise Unsupported("a result without arithmetic")
        return Graph(tuple(self._layers), self.blob(y), self._picture.shape[1], self._level).needed()

    def _append(
        self, kind: str, inputs: tuple[int, ...], options: Options, weights: tuple[Tensor, ...]
    ) -> int:
        blob, self._n_blobs = self._n_blobs, self._n_blobs + 1
        self._layers.append(Layer(kind, inputs, blob, options, weights))
        return blob

    def _name(self, y: Tensor, blob: int) -> None:
        self._blobs[id(y)] = blob
        self._alive.append(y)
