"""Pixels to floats and back, and the two luma/chroma transforms: studio range (papers) and JFIF (JPEG).

All arrays are (H, W, C); floats are float32 or float64 with nominal range 0..1 and keep their type.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from enhance_cli.imaging.picture import Pixels, Plane

Floats = TypeVar("Floats", NDArray[np.float32], NDArray[np.float64])

# ITU-R BT.601 studio range as MATLAB's rgb2ycbcr has it: R, G, B in 0..1 give 16..235 and 16..240.
_STUDIO = np.array([[65.481, 128.553, 24.966], [-37.797, -74.203, 112.0], [112.0, -93.786, -18.214]]) / 255
_STUDIO_OFFSET = np.array([16.0, 128.0, 128.0]) / 255

# JFIF 1.02: full range; the chroma rows follow from Kr = 0.299, Kb = 0.114.
_JFIF = np.array(
    [
        [0.299, 0.587, 0.114],
        [-0.299 / 1.772, -0.587 / 1.772, 0.5],
        [0.5, -0.587 / 1.402, -0.114 / 1.402],
    ]
)
_JFIF_OFFSET = np.array([0.0, 128.0, 128.0]) / 255

SRGB_TO_D50 = np.array(
    [[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]], np.float64
)
"""Linear sRGB to XYZ of ICC's white, adapted by Bradford's matrix (its columns are sRGB's colorants)."""
D50 = np.array([0.9642, 1.0, 0.8249])
"""XYZ of that white."""


def to_float(pixels: Pixels) -> Plane:
    """Bring uint8 or uint16 pixels to float32 in [0, 1]."""
    return pixels.astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max)


def from_float(x: NDArray[np.floating], dtype: DTypeLike) -> Pixels:
    """Bring floats to `dtype` (uint8 or uint16): scaled to its full range, rounded half up, clipped.

    In C order, whatever that of `x`.
    """
    full = np.iinfo(np.dtype(dtype)).max
    levels = x * x.dtype.type(full)
    levels += x.dtype.type(0.5)
    np.floor(levels, out=levels)
    return np.clip(levels, 0, full, out=levels).astype(dtype, order="C")


def rgb_to_y(rgb: Floats) -> Floats:
    """Take (H, W, 3) RGB in [0, 1] to its BT.601 studio luma (H, W, 1) in [16/255, 235/255].

    This is the Y on which the super-resolution literature measures PSNR.
    """
    return _affine(rgb, _STUDIO[:1], _STUDIO_OFFSET[:1])


def rgb_to_ycbcr(rgb: Floats) -> Floats:
    """Take RGB in [0, 1] to studio-range YCbCr (MATLAB's rgb2ycbcr), not rounded."""
    return _affine(rgb, _STUDIO, _STUDIO_OFFSET)


def ycbcr_to_rgb(ycbcr: Floats) -> Floats:
    """Undo `rgb_to_ycbcr`; the result is not clipped."""
    return _undo(ycbcr, _STUDIO, _STUDIO_OFFSET)


def jpeg_ycbcr(rgb: Floats) -> Floats:
    """Take RGB in [0, 1] to the full-range YCbCr of JPEG files (JFIF), chroma centred on 128/255."""
    return _affine(rgb, _JFIF, _JFIF_OFFSET)


def lab_to_srgb(lab: NDArray[np.float32]) -> NDArray[np.float32]:
    """Take CIE L*a*b* of illuminant D50 (L in 0..100) to sRGB; the result is not clipped (IEC 61966-2-1)."""
    y = (lab[..., :1] + 16) / 116
    f = np.concatenate([y + lab[..., 1:2] / 500, y, y - lab[..., 2:3] / 200], axis=2)
    xyz = np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29)) * D50
    return srgb_encoded(_undo(xyz.astype(np.float32), SRGB_TO_D50, np.zeros(3)))


def srgb_encoded(linear: NDArray[np.floating]) -> NDArray[np.float32]:
    """Linear light to the values of sRGB, 1 to 1; what lies below 0 is mirrored."""
    size = np.abs(linear)
    curved = 1.055 * np.power(size, 1 / 2.4) - 0.055
    return np.copysign(np.where(size <= 0.0031308, 12.92 * size, curved), linear).astype(np.float32)


def srgb_decoded(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """The values of sRGB, 0 to 1, to linear light."""
    return np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4).astype(np.float32)


def _affine(x: Floats, matrix: NDArray[np.float64], offset: NDArray[np.float64]) -> Floats:
    out = x @ matrix.T.astype(x.dtype)
    out += offset.astype(x.dtype)
    return out


def _undo(x: Floats, matrix: NDArray[np.float64], offset: NDArray[np.float64]) -> Floats:
    inverse = np.asarray(np.linalg.inv(matrix), np.float64)
    return _affine(x, inverse, -inverse @ offset)
