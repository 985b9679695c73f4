"""Applies one network to pictures of any size, colour and bit depth within bounded memory."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
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
from enhance_cli.imaging.picture import Picture, Plane
from enhance_cli.imaging.resize import imresize

BAND = 256
"""Rows that are resized at once."""


@dataclass(frozen=True)
class Restored:
    """A result and how it came about."""

    picture: Picture
    """Metadata, bit depth and number of channels of the input."""
    plane: Plane | None
    """The result before rounding, (H, W, C) float32 in [0, 1]; None unless it was asked for."""
    tiles: int
    device: str
    precision: str
    warnings: tuple[str, ...] = ()
    """What the engine had to do differently, one line each."""


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
        keep_plane: bool = False,
    ) -> Restored:
        """Restore a picture, to `size` = (width, height) or by the factor `scale`.

        Without either, the size is what the network gives.  A size that is not the network's own is
        reached by MATLAB's bicubic: beforehand for networks that want an enlarged input, else from
        the network's result.  `condition`: noise sigma 0..255 or JPEG quality 1..100, for networks that
        take one.  `on_tile(done, all)` follows each tile; the count starts anew if memory ran out.
        UsageError for a size or condition that cannot be, RestoreError if the result is unusable.
        """
        width, height = self._target(picture, scale, size)
        canvas, n_tiles = self._paint(picture, height, width, condition, on_tile, keep_plane)
        if canvas.shape[:2] != (height, width):
            canvas = _resized(canvas, height, width, picture.pixels.dtype)
        alpha = picture.alpha
        if alpha is not None and alpha.shape != (height, width):
            alpha = imresize(alpha, (height, width))
        pixels = from_float(canvas, picture.pixels.dtype) if keep_plane else canvas
        return Restored(
            picture=replace(
                picture, pixels=pixels, alpha=alpha, metadata=for_size(picture.metadata, width, height)
            ),
            plane=canvas if keep_plane else None,
            tiles=n_tiles,
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

    def _paint(
        self,
        picture: Picture,
        height: int,
        width: int,
        condition: float | None,
        on_tile: OnTile | None,
        keep_plane: bool,
    ) -> tuple[NDArray[Any], int]:
        """Run the network over the picture; returns the finished colours at the network's output size.

        They are rounded to their final type tile by tile, to float32 if they are to be kept, and to
        16 bits if they are yet to be resized.
        """
        spec = self.net.spec
        pixels = picture.pixels if picture.alpha is None else fill_hidden(picture.pixels, picture.alpha)
        inner = (height, width) if spec.pre_upsampled else (picture.height, picture.width)
        outer = (inner[0] * spec.scale, inner[1] * spec.scale)
        depth = picture.pixels.dtype if outer == (height, width) else np.dtype(np.uint16)
        canvas = np.empty((*outer, pixels.shape[2]), np.float32 if keep_plane else depth)
        seen = View(pixels, *inner)
        behind = View(pixels, *outer) if spec.colour == "y" and not picture.gray else None

        def read(box: Box) -> Batch:
            return to_net(seen.read(box), spec.colour)

        def write(box: Box, y: Tensor) -> None:
            if canvas.dtype == np.uint8 and not behind and y.device.type != "cpu":
                canvas[box.rows, box.columns] = fetch(to_levels(y, gray=picture.gray))
                return
            backdrop = behind.read(box) if behind else None
            colours = from_net(fetch(y), spec.colour, gray=picture.gray, backdrop=backdrop)
            canvas[box.rows, box.columns] = colours.clip(0, 1) if keep_plane else from_float(colours, depth)

        return canvas, self._runner.run(*inner, self._condition(condition), read, write, on_tile)

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


def _resized(canvas: NDArray[Any], height: int, width: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """The canvas by bicubic, float32 clipped to [0, 1] if it is float32, else as `dtype`.

    Summed in float and rounded once, in bands of rows: a large picture as a whole would take gigabytes.
    """
    floats = canvas.dtype == np.float32
    out = np.empty((height, width, canvas.shape[2]), canvas.dtype if floats else dtype)
    view = View(canvas, height, width)
    for top in range(0, height, BAND):
        band = view.read(Box(top, 0, min(top + BAND, height), width))
        out[top : top + BAND] = band.clip(0, 1) if floats else from_float(band, dtype)
    return out
