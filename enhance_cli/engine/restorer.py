"""Applies one network to pictures of any size, colour and bit depth within bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from numpy.typing import DTypeLike
from torch import Tensor

from enhance_cli.checkpoints.reader import LoadedNet
from enhance_cli.engine.device import Runtime
from enhance_cli.engine.planes import View, fill_hidden, from_net, to_levels, to_net
from enhance_cli.engine.runner import Batch, OnTile, Runner
from enhance_cli.engine.settings import EngineSettings
from enhance_cli.engine.tiles import Box
from enhance_cli.engine.transfer import fetch
from enhance_cli.errors import UsageError
from enhance_cli.imaging.colour import from_float
from enhance_cli.imaging.metadata import for_size
from enhance_cli.imaging.picture import Picture, Pixels, Plane, joined
from enhance_cli.imaging.resize import imresize

BAND = 256
"""Rows that are resized at once."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """How a result came about."""

    tiles: int
    device: str
    precision: str
    warnings: tuple[str, ...] = ()
    """What the engine had to do differently, one line each."""


@dataclass(frozen=True, kw_only=True)
class Restored(Run):
    """A result and how it came about."""

    picture: Picture
    """Metadata, bit depth and number of channels of the input."""


class Restorer:
    """One network on one device.  Not for several threads at once."""

    def __init__(self, net: LoadedNet, settings: EngineSettings) -> None:
        """DeviceError if the device or precision asked for is not there; UsageError for bad settings."""
        self.net = net
        self._runner = Runner(net, settings)

    @property
    def runtime(self) -> Runtime:
        """Where the network runs now; memory that ran out may have moved it to the CPU."""
        return self._runner.runtime

    def restore(
        self,
        picture: Picture,
        *,
        scale: float | None = None,
        size: tuple[int, int] | None = None,
        condition: float | None = None,
        on_tile: OnTile | None = None,
    ) -> Restored:
        """Restore a picture, to `size` = (width, height) or by the factor `scale`.

        Without either, the size is what the network gives.  A size that is not the network's own is
        reached by MATLAB's bicubic: beforehand for networks that want an enlarged input, else from
        the network's result.  `condition`: noise sigma 0..255 or JPEG quality 1..100, for networks that
        take one.  `on_tile(done, all)` follows each tile; the count starts anew if memory ran out.
        UsageError for a size or condition that cannot be, RestoreError if the result is unusable.
        """
        size = self._target(picture, scale, size)
        bands: list[Picture] = []
        run = self.restore_bands(picture, bands.append, size=size, condition=condition, on_tile=on_tile)
        return Restored(picture=joined(self.outline(picture, size), bands), **vars(run))

    def outline(self, picture: Picture, size: tuple[int, int] | None = None) -> Picture:
        """What `restore` gives, but black: it takes no memory."""
        width, height = size or self._target(picture, None, None)
        return replace(picture.outline(width, height), metadata=for_size(picture.metadata, width, height))

    def restore_bands(
        self,
        picture: Picture,
        on_band: Callable[[Picture], None],
        *,
        size: tuple[int, int] | None = None,
        condition: float | None = None,
        on_tile: OnTile | None = None,
    ) -> Run:
        """The same, never whole in memory: `on_band` is given the rows as they are finished, from the top."""
        outline = self.outline(picture, size)
        height, width = outline.height, outline.width
        alpha = picture.alpha
        if alpha is not None and alpha.shape != (height, width):
            alpha = imresize(alpha, (height, width))
        tall = 0

        def finish(band: Pixels) -> None:
            nonlocal tall
            rows = slice(tall, tall + len(band))
            on_band(replace(outline, pixels=band, alpha=None if alpha is None else alpha[rows]))
            tall = rows.stop

        paint = partial(self._paint, picture, outline, self._condition(condition), on_tile)
        if self._outer(picture, outline) == (height, width):
            tiles = paint(picture.pixels.dtype, _Strip(width, finish).put)
        else:
            canvas: Pixels = np.empty((*self._outer(picture, outline), picture.pixels.shape[2]), np.uint16)

            def put(box: Box, colours: Pixels) -> None:
                canvas[box.rows, box.columns] = colours

            tiles = paint(canvas.dtype, put)
            for band in _resized(canvas, height, width, picture.pixels.dtype):
                finish(band)
        return Run(
            tiles=tiles,
            device=str(self.runtime.device),
            precision=self.runtime.precision,
            warnings=self._runner.warnings,
        )

    def restore_plane(self, x: Plane, condition: float | None = None) -> Plane:
        """What the network itself makes of a plain array: no colour path, no rounding, no clipping.

        x: (H, W, C) float32 with nominal range [0, 1], C = 3 for RGB networks and 1 else, already
        enlarged for networks that want that.  Returns (scale H, scale W, C) float32.
        """
        height, width, n_colours = x.shape
        scale = self.net.spec.scale
        view = View(np.asarray(x, np.float32), height, width)
        out = np.empty((height * scale, width * scale, n_colours), np.float32)

        def read(box: Box) -> Batch:
            return np.ascontiguousarray(view.read(box).transpose(2, 0, 1)[None])

        def write(box: Box, y: Tensor) -> None:
            out[box.rows, box.columns] = fetch(y[0].permute(1, 2, 0))

        self._runner.run(height, width, self._condition(condition), read, write, None)
        return out

    def _target(self, picture: Picture, scale: float | None, size: tuple[int, int] | None) -> tuple[int, int]:
        """Width and height of the result."""
        if size is not None:
            if min(size) < 1:
                raise UsageError(f"size {size[0]}x{size[1]} is empty; both sides must be 1 or more")
            return size
        factor = self.net.spec.scale if scale is None else scale
        if not 0 < factor < float("inf"):
            raise UsageError(f"scale {factor} is impossible; give a positive factor")
        return (max(1, int(picture.width * factor + 0.5)), max(1, int(picture.height * factor + 0.5)))

    def _inner(self, picture: Picture, outline: Picture) -> tuple[int, int]:
        """Height and width of what the network is given."""
        shown = outline if self.net.spec.pre_upsampled else picture
        return shown.height, shown.width

    def _outer(self, picture: Picture, outline: Picture) -> tuple[int, int]:
        """Height and width of what it makes of that."""
        height, width = self._inner(picture, outline)
        return height * self.net.spec.scale, width * self.net.spec.scale

    def _paint(
        self,
        picture: Picture,
        outline: Picture,
        condition: Tensor | None,
        on_tile: OnTile | None,
        depth: DTypeLike,
        put: Callable[[Box, Pixels], None],
    ) -> int:
        """Run the network; `put` is given the colours tile by tile, rounded to `depth`; returns how many."""
        colour = self.net.spec.colour
        pixels = picture.pixels if picture.alpha is None else fill_hidden(picture.pixels, picture.alpha)
        inner, outer = self._inner(picture, outline), self._outer(picture, outline)
        seen = View(pixels, *inner)
        behind = View(pixels, *outer) if colour == "y" and not picture.gray else None

        def read(box: Box) -> Batch:
            return to_net(seen.read(box), colour)

        def write(box: Box, y: Tensor) -> None:
            if depth == np.uint8 and not behind and y.device.type != "cpu":
                put(box, fetch(to_levels(y, gray=picture.gray)))
                return
            backdrop = behind.read(box) if behind else None
            put(box, from_float(from_net(fetch(y), colour, gray=picture.gray, backdrop=backdrop), depth))

        return self._runner.run(*inner, condition, read, write, on_tile)

    def _condition(self, value: float | None) -> Tensor | None:
        """The network's second argument, (1, 1, 1, 1)."""
        kind = self.net.spec.condition
        if kind is None and value is None:
            return None
        if kind is None:
            raise UsageError(f"model {self.net.name} takes no strength, but {value} was given; leave it out")
        low, high = (0.0, 255.0) if kind == "sigma" else (1.0, 100.0)
        if value is None or not low <= value <= high:
            raise UsageError(f"model {self.net.name} needs a {kind} from {low:g} to {high:g}, not {value}")
        return torch.full((1, 1, 1, 1), value / high)


class _Strip:
    """Joins the tiles of a row to a band as wide as the picture."""

    def __init__(self, width: int, finish: Callable[[Pixels], None]) -> None:
        self._width = width
        self._finish = finish
        self._band: Pixels | None = None

    def put(self, box: Box, colours: Pixels) -> None:
        """Tiles come from left to right, and begin anew where a row was not finished."""
        if (box.left, box.right) == (0, self._width):
            self._finish(colours)
            return
        if box.left == 0:
            self._band = np.empty((len(colours), self._width, colours.shape[2]), colours.dtype)
        assert self._band is not None
        self._band[:, box.columns] = colours
        if box.right == self._width:
            band, self._band = self._band, None
            self._finish(band)


def _resized(canvas: Pixels, height: int, width: int, dtype: DTypeLike) -> Iterator[Pixels]:
    """The canvas by bicubic as `dtype`, in bands of rows: summed in float and rounded once."""
    view = View(canvas, height, width)
    for top in range(0, height, BAND):
        yield from_float(view.read(Box(top, 0, min(top + BAND, height), width)), dtype)
