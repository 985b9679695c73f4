"""A PNG writer for 8 and 16 bits, since Pillow cannot write 16-bit colour (PNG 3rd edition, W3C 2025)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from enhance_cli.imaging.iptc import resources_of
from enhance_cli.imaging.picture import Metadata, Pixels

try:
    from isal import isal_zlib
except ImportError:
    isal_zlib = None  # type: ignore[assignment]

_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}
# Rows and their differences stay within a core's cache.
_BLOCK_BYTES = 1 << 18
# Each row as its difference to the row above: on photographs at zlib level 3 it makes files of the size that
# libpng's adaptive choice makes at level 6, in a quarter of the time.
_UP = 2
# Through ISA-L, where it is there: of the size that zlib's level 2 gives, in a quarter of the time.
_ISAL_LEVELS, _ISAL_LEVEL = (1, 2), 2


def png_pieces(bands: Iterable[Pixels], height: int, metadata: Metadata, level: int) -> Iterator[bytes]:
    """PNG file, piece by piece, of a picture in bands: gray, gray + alpha, RGB or RGBA.

    `bands`: (h, W, 1..4) from top to bottom, `height` rows in all; one is asked for when those before it are
    through. `level`: 0..9 as zlib's; 1 and 2 go through ISA-L where it is installed.
    """
    bands = iter(bands)
    first = next(bands, None)
    if first is not None:
        yield _start(height, first, metadata)
        for piece in _deflated(chain([first], bands), level):
            yield _chunk(b"IDAT", piece)
    yield _chunk(b"IEND", b"")


def apng_pieces(
    frames: Iterable[tuple[Pixels, float]], count: int, loops: int, metadata: Metadata, level: int
) -> Iterator[bytes]:
    """Animated PNG file, piece by piece, of `count` whole frames (H, W, 1..4) and their milliseconds.

    `loops`: how often all are shown, 0 for ever.
    """
    number = 0
    for index, (pixels, milliseconds) in enumerate(frames):
        height, width = pixels.shape[:2]
        if index == 0:
            yield _start(height, pixels, metadata) + _chunk(b"acTL", struct.pack(">II", count, loops))
        # Whole pictures that replace each other, shown for a number of thousandths of a second.
        control = struct.pack(
            ">5IHHBB", number, width, height, 0, 0, min(65_535, round(milliseconds)), 1000, 0, 0
        )
        yield _chunk(b"fcTL", control)
        number += 1
        for piece in _deflated([pixels], level):
            if index == 0:
                yield _chunk(b"IDAT", piece)
            else:
                yield _chunk(b"fdAT", struct.pack(">I", number) + piece)
                number += 1
    yield _chunk(b"IEND", b"")


def _deflated(bands: Iterable[Pixels], level: int) -> Iterator[bytes]:
    fast = isal_zlib is not None and level in _ISAL_LEVELS
    stream = isal_zlib.compressobj(_ISAL_LEVEL) if fast else zlib.compressobj(level, memLevel=9)
    above: NDArray[np.uint8] | None = None
    for band in bands:
        row_bytes = band[:1].nbytes
        above = np.zeros(row_bytes, np.uint8) if above is None else above
        step = max(1, _BLOCK_BYTES // row_bytes)
        for top in range(0, len(band), step):
            # Samples of 16 bits are written highest byte first.
            block = np.ascontiguousarray(band[top : top + step], dtype=f">u{band.itemsize}")
            rows = block.view(np.uint8).reshape(len(block), -1)
            filtered = np.empty((len(rows), 1 + row_bytes), np.uint8)
            filtered[:, 0] = _UP
            np.subtract(rows[0], above, out=filtered[0, 1:])
            np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
            if piece := stream.compress(filtered.data):
                yield piece
            above = rows[-1]
    yield stream.flush()


def _start(height: int, band: Pixels, metadata: Metadata) -> bytes:
    _, width, channels = band.shape
    header = struct.pack(">IIBBBBB", width, height, 8 * band.itemsize, _COLOUR_TYPES[channels], 0, 0, 0)
    return b"".join([b"\x89PNG\r\n\x1a\n", _chunk(b"IHDR", header), *_ancillary(metadata)])


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _ancillary(metadata: Metadata) -> Iterator[bytes]:
    for kind, body in metadata.colour:
        yield _chunk(kind, body)
    if metadata.icc is not None:
        yield _chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(metadata.icc))
    if metadata.dpi is not None:
        x, y = (round(value / 0.0254) for value in metadata.dpi)
        yield _chunk(b"pHYs", struct.pack(">IIB", x, y, 1))
    elif metadata.aspect is not None:
        yield _chunk(b"pHYs", struct.pack(">IIB", *metadata.aspect, 0))
    if metadata.exif is not None:
        yield _chunk(b"eXIf", metadata.exif.removeprefix(b"Exif\0\0"))
    if metadata.xmp is not None:
        yield _chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + metadata.xmp)
    if metadata.iptc is not None:
        # A PNG has no place for IPTC; this is how ImageMagick writes it and exiftool reads it.
        resource = resources_of(metadata.iptc)
        digits = b"\niptc\n%8d\n%s\n" % (len(resource), resource.hex().encode())
        yield _chunk(b"zTXt", b"Raw profile type iptc\0\0" + zlib.compress(digits))
    if metadata.comment is not None:
        comment = metadata.comment.replace(b"\0", b"")
        try:
            plain = comment.decode("utf-8").isascii()
        except UnicodeDecodeError:
            plain = True
        # As UTF-8 where it is that, and Latin-1 else, of which ASCII is a part.
        yield (
            _chunk(b"tEXt", b"Comment\0" + comment)
            if plain
            else _chunk(b"iTXt", b"Comment\0\0\0\0\0" + comment)
        )
    for kind, body in metadata.text:
        yield _chunk(kind, body)
