"""Bayer mosaics: pictures with one colour sample per pixel, as sensors give them.

A mosaic is held as (H, W, 3) with zeros where a colour was not sampled, the way RNAN's authors store theirs.
A pattern names the colours of the first two rows' first two pixels: "grbg" is G R above B G.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from enhance_cli.errors import ReadError
from enhance_cli.imaging.metadata import with_fitting_profile
from enhance_cli.imaging.picture import Picture, Pixels

Pattern = Literal["rggb", "bggr", "grbg", "gbrg"]
PATTERNS: tuple[Pattern, ...] = get_args(Pattern)
NETWORK_PATTERN: Pattern = "grbg"
"""The pattern that networks are given, that of RNAN's test pictures; others are shifted to it."""
MARGIN, MULTIPLE = 24, 8
"""Pixels mirrored around a mosaic before it is restored, and what its sides are then a multiple of.

What the engine itself lays around for a network repeats the last pixel and breaks the pattern: so it comes
far away, and none is needed for networks whose `multiple` divides ours.
"""
TENT = np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]], np.float32)


def sampled(height: int, width: int, pattern: Pattern) -> NDArray[np.bool_]:
    """(height, width, 3): which colour each pixel holds."""
    which = np.array(["rgb".index(letter) for letter in pattern]).reshape(2, 2)
    rows, columns = np.arange(height) % 2, np.arange(width) % 2
    return which[rows[:, None], columns][..., None] == np.arange(3)


def thinned(pixels: NDArray[Any], pattern: Pattern) -> NDArray[Any]:
    """(H, W, 1) raw samples or (H, W, 3) full colour -> (H, W, 3) mosaic with zeros."""
    return np.where(sampled(pixels.shape[0], pixels.shape[1], pattern), pixels, 0).astype(pixels.dtype)


def as_mosaic(picture: Picture, pattern: Pattern | None) -> Picture:
    """The picture as an RGB mosaic with zeros.

    One channel, or three equal ones, hold the samples themselves, and `pattern` must be given; three
    different ones must be such a mosaic already, whose pattern is found.  ReadError otherwise.
    """
    raw = picture if picture.gray else picture.as_gray()
    if raw is not None and pattern is None:
        raise ReadError(
            f"a mosaic in one channel does not show its pattern; give --pattern {PATTERNS[0]} or so"
        )
    if raw is not None and pattern is not None:
        pixels = thinned(raw.pixels, pattern)
        return replace(raw, pixels=pixels, metadata=with_fitting_profile(raw.metadata, 3))
    found = pattern_of(picture.pixels)
    if found is None:
        raise ReadError("it is a full picture and no Bayer mosaic: a mosaic has one sample per pixel")
    if pattern not in (None, found):
        raise ReadError(f"its mosaic has the pattern {found}, not {pattern}; leave out --pattern")
    return picture


def pattern_of(pixels: Pixels) -> Pattern | None:
    """The pattern of an (H, W, 3) mosaic; None if every pattern misses samples that are there."""
    fitting = (p for p in PATTERNS if not pixels[~sampled(pixels.shape[0], pixels.shape[1], p)].any())
    return next(fitting, None)


def aligned(pixels: Pixels) -> tuple[Pixels, slice, slice]:
    """The mosaic within margins that give it the networks' pattern and sides that fit; and its place there.

    The margins are mirrored about the outermost pixels, so that the pattern goes on across the border.
    """
    pattern = pattern_of(pixels) or NETWORK_PATTERN
    # Seen from a corner so much further up and to the left, the pattern is theirs.
    wanted = sampled(2, 2, NETWORK_PATTERN)
    corners = ((dy, dx) for dy in (0, 1) for dx in (0, 1))
    top, left = next(at for at in corners if (np.roll(sampled(2, 2, pattern), at, (0, 1)) == wanted).all())
    height, width = pixels.shape[:2]
    rows = (MARGIN + top, MARGIN + -(height + top) % MULTIPLE)
    columns = (MARGIN + left, MARGIN + -(width + left) % MULTIPLE)
    padded: Pixels = np.pad(pixels, (rows, columns, (0, 0)), mode="reflect")  # type: ignore[assignment]
    return padded, slice(rows[0], rows[0] + height), slice(columns[0], columns[0] + width)


def interpolated(pixels: Pixels) -> Pixels:
    """A mosaic filled in bilinearly: each missing sample is the mean of those around it, by nearness."""
    pattern = pattern_of(pixels) or NETWORK_PATTERN
    known = sampled(pixels.shape[0], pixels.shape[1], pattern)
    total = _tented(pixels.astype(np.float32))
    weight = _tented(known.astype(np.float32))
    mean = np.rint(total / np.maximum(weight, 1e-6))
    return np.where(known, pixels, mean).astype(pixels.dtype)  # type: ignore[return-value]


def _tented(x: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(cv2.filter2D(x, cv2.CV_32F, TENT, borderType=cv2.BORDER_CONSTANT))
