"""A decoded picture and everything about its file that must survive."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8] | NDArray[np.uint16]
Plane = NDArray[np.float32]
PngChunk = tuple[bytes, bytes]
"""Type (four letters) and body."""


def keyword_of(body: bytes) -> str:
    """The keyword of a PNG's text chunk, fit to be shown: one line of printable characters."""
    keyword = body[:79].partition(b"\0")[0].decode("latin-1")
    return "".join(letter if letter.isprintable() else "?" for letter in keyword)


@dataclass(frozen=True)
class Metadata:
    """What is carried from the input file to the output file."""

    icc: bytes | None = None
    """ICC colour profile."""
    exif: bytes | None = None
    """EXIF block with orientation reset to 1, sizes corrected and thumbnail dropped."""
    xmp: bytes | None = None
    dpi: tuple[float, float] | None = None
    """Dots per inch, (x, y)."""
    aspect: tuple[int, int] | None = None
    """(x, y) density without a unit, where the two differ: pixels are not square."""
    iptc: bytes | None = None
    """IPTC-IIM records: headline, keywords, rights."""
    comment: bytes | None = None
    """Comment of a JPEG or GIF, in an encoding that the file does not tell."""
    text: tuple[PngChunk, ...] = ()
    """Text chunks of a PNG."""
    colour: tuple[PngChunk, ...] = ()
    """PNG chunks that say what colours the samples mean beside the ICC profile: gAMA, cHRM, sRGB, cICP."""
    size: tuple[int, int] | None = field(default=None, compare=False)
    """(width, height) in which EXIF and XMP count pixels, where it is known."""


CameraMatrix = tuple[tuple[float, ...], ...]
"""Three rows of three: from a camera's red, green and blue to those of sRGB, linear to linear."""


@dataclass(frozen=True)
class Picture:
    """One decoded picture, upright (EXIF orientation applied)."""

    pixels: Pixels
    """(H, W, C), C = 1 (gray) or 3 (RGB); uint8 in 0..255 or uint16 in 0..65535."""
    alpha: Pixels | None = None
    """(H, W) of the same type, straight (not premultiplied), or None."""
    metadata: Metadata = field(default_factory=Metadata)
    format: str = "PNG"
    """Format of the file it came from, as Pillow names it."""
    jpeg_quality: int | None = None
    """libjpeg quality 1..100 read from the file's quantisation tables; None if not a JPEG."""
    jpeg_subsampling: str | None = None
    """Chroma subsampling of a JPEG: "4:4:4", "4:2:2", "4:2:0" or "gray"."""
    camera: CameraMatrix | None = None
    """Of a camera's mosaic: what is still to be done to its colours when they are complete."""
    warnings: tuple[str, ...] = ()
    """What the reader had to decide, one line each."""

    @property
    def height(self) -> int:
        """Height in pixels."""
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """Width in pixels."""
        return int(self.pixels.shape[1])

    @property
    def gray(self) -> bool:
        """Whether the picture has one channel."""
        return self.pixels.shape[2] == 1

    @property
    def full_scale(self) -> int:
        """Largest pixel value: 255 or 65535."""
        return int(np.iinfo(self.pixels.dtype).max)

    def as_gray(self) -> Picture | None:
        """The same picture with one channel if its three are equal (a scan saved as RGB), else None."""
        if self.gray or not (self.pixels == self.pixels[..., :1]).all():
            return None
        return replace(self, pixels=self.pixels[..., :1].copy())

    def as_rgb(self) -> Picture:
        """The same gray picture with three equal channels."""
        return replace(self, pixels=self.pixels.repeat(3, axis=2))

    def outline(self, width: int, height: int) -> Picture:
        """A black picture of that size and all else of this one, which takes no memory."""
        pixels = np.broadcast_to(np.zeros(1, self.pixels.dtype), (height, width, self.pixels.shape[2]))
        alpha = None if self.alpha is None else pixels[..., 0]
        return replace(self, pixels=pixels, alpha=alpha, camera=None)


def joined(outline: Picture, bands: Iterable[Picture]) -> Picture:
    """One picture of its bands of rows, which come from top to bottom; all else is the outline's."""
    pixels = np.empty(outline.pixels.shape, outline.pixels.dtype)
    alpha = None if outline.alpha is None else np.empty(outline.alpha.shape, outline.alpha.dtype)
    top = 0
    for band in bands:
        if band.height == outline.height:
            pixels, alpha = band.pixels, band.alpha
            continue
        rows = slice(top, top + band.height)
        pixels[rows] = band.pixels
        if alpha is not None and band.alpha is not None:
            alpha[rows] = band.alpha
        top = rows.stop
    return replace(outline, pixels=pixels, alpha=alpha)
