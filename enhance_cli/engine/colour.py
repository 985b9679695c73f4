"""From a picture to what a network wants and back, box by box: colour, bit depth, enlarging, padding, alpha.

Nothing here holds the whole picture as floats: a 12-megapixel photo enlarged twice would take 0.6 GB.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from enhance_cli.arch.contract import Colour
from enhance_cli.engine.tiles import Box
from enhance_cli.imaging.colour import rgb_to_y, rgb_to_ycbcr, to_float, ycbcr_to_rgb
from enhance_cli.imaging.picture import Pixels, Plane
from enhance_cli.imaging.resize import weights
from enhance_cli.runtimes.contract import Batch

FILL_RADII = (1, 4, 16, 64)
"""Of the squares around a hidden pixel in which visible ones are looked for, in pixels."""


class Resampler:
    """Reads boxes of an array, as floats and as if it had some other size.

    At its own size values are passed on exactly, else they are bicubic (MATLAB's imresize in float, not
    rounded).  Boxes may reach beyond the picture: there it is mirrored, its last pixel twice.
    """

    def __init__(self, array: Pixels | Plane, height: int, width: int) -> None:
        """`array`: (H, W, C) uint8, uint16 or float32; `height` and `width`: the size to read it at."""
        self._array = array
        self._rows = _Axis(array.shape[0], height)
        self._columns = _Axis(array.shape[1], width)

    def read(self, box: Box) -> Plane:
        """The box as (h, w, C) float32, integers brought to [0, 1]."""
        rows, row_weights = self._rows.taps(box.top, box.bottom)
        columns, column_weights = self._columns.taps(box.left, box.right)
        top, left = rows.min(), columns.min()
        part = self._array[top : rows.max() + 1, left : columns.max() + 1]
        x: Plane = part if part.dtype == np.float32 else to_float(part)  # type: ignore[assignment, arg-type]
        return _blend(_blend(x, rows - top, row_weights, 0), columns - left, column_weights, 1)


class _Axis:
    """Which samples make each position of one axis, and by how much."""

    def __init__(self, n_in: int, n_out: int) -> None:
        self._length = n_out
        if n_in == n_out:
            self._indices = np.arange(n_in)[:, None]
            self._weights = np.ones((n_in, 1))
        else:
            self._indices, self._weights = weights(n_in, n_out, n_out / n_in)

    def taps(self, start: int, stop: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Indices and weights, each (stop - start, taps)."""
        turn = np.arange(start, stop) % (2 * self._length)
        positions = np.minimum(turn, 2 * self._length - 1 - turn)
        return self._indices[positions], self._weights[positions]


def _blend(x: Plane, indices: NDArray[np.int64], taps: NDArray[np.float64], axis: int) -> Plane:
    if taps.shape[1] == 1:
        return x.take(indices[:, 0], axis=axis)
    shape = [1, 1, 1]
    shape[axis] = -1
    total = np.zeros((), np.float32)
    for which, weight in zip(indices.T, taps.T.astype(np.float32), strict=True):
        total = total + x.take(which, axis=axis) * weight.reshape(shape)
    return total


def to_network(x: Plane, colour: Colour) -> Batch:
    """(h, w, 1 or 3) in [0, 1] -> (N, C, h, w) as the network wants it.

    N is 3 for gray networks on colour pictures (one plane each), else 1.  A gray picture is its own luma.
    """
    gray = x.shape[2] == 1
    if colour == "gray":
        return np.ascontiguousarray(x.transpose(2, 0, 1)[:, None])
    if colour == "y" and not gray:
        x = rgb_to_y(x)
    elif colour == "rgb" and gray:
        x = x.repeat(3, axis=2)
    return np.ascontiguousarray(x.transpose(2, 0, 1)[None])


def from_network(y: Batch, colour: Colour, *, gray: bool, backdrop: Plane | None) -> Plane:
    """Result (N, C, h, w) of what `to_network` made -> (h, w, 1 or 3).

    `backdrop`: (h, w, 3), the plainly resized picture whose chroma a luma network's result is given.
    """
    if gray:
        return y.mean(axis=1).transpose(1, 2, 0)
    if backdrop is None:
        return y.reshape(3, *y.shape[2:]).transpose(1, 2, 0)
    assert colour == "y"
    chroma = rgb_to_ycbcr(backdrop)[..., 1:]
    return ycbcr_to_rgb(np.concatenate([y[0].transpose(1, 2, 0), chroma], axis=2))


def fill_hidden(pixels: Pixels, alpha: Pixels) -> Pixels:
    """Give fully transparent pixels the colour of the visible ones around them.

    What programs leave under alpha 0 is arbitrary (often black); a network looks past the edge of the
    visible part and would ring there.  Each hidden pixel takes the mean of the visible pixels in the
    smallest of a few squares that holds any, so that the filling goes on smoothly from the edge; far from
    everything visible it takes the mean of all.
    """
    visible = alpha > 0
    if visible.all() or not visible.any():
        return pixels
    weight = visible.astype(np.float32)
    filled: NDArray[np.float32] = pixels * weight[..., None]
    colours = filled.copy()
    todo = ~visible
    for radius in FILL_RADII:
        near = _box_mean(weight, radius)
        # Box sums in float32 leave crumbs where there is nothing.
        found = todo & (near > 0.5 / (2 * radius + 1) ** 2)
        mean = _box_mean(colours, radius).reshape(filled.shape)
        filled[found] = mean[found] / near[found][:, None]
        todo &= ~found
    filled[todo] = pixels[visible].mean(axis=0)
    np.add(filled, 0.5, out=filled)
    return filled.astype(pixels.dtype)  # type: ignore[return-value]


def _box_mean(x: NDArray[Any], radius: int) -> NDArray[Any]:
    side = 2 * radius + 1
    return np.asarray(cv2.blur(x, (side, side), borderType=cv2.BORDER_CONSTANT))
