"""Whether a PNG holds all rows that its header promises (PNG 3rd edition, W3C 2025).

Decoders take a stream that ends early, without an error of its own, for a picture whose rest is black.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_WHOLE = ((0, 0, 1, 1),)
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""First column and row, and steps of columns and rows, of each pass (section 8.1)."""
_PIECE = 1 << 20


def is_short(data: bytes) -> bool:
    """Whether the pixel data of a PNG file end too early.  Inflates all of it, a piece at a time."""
    expected = _expected(data)
    inflater = zlib.decompressobj()
    found = 0
    for piece in _pixel_chunks(data):
        while piece and found < expected:
            try:
                found += len(inflater.decompress(piece, _PIECE))
            except zlib.error:
                return True
            piece = inflater.unconsumed_tail
    return found + len(inflater.flush()) < expected


def _expected(data: bytes) -> int:
    """Bytes of all rows, each with its filter type."""
    width, height, bits, kind = struct.unpack(">IIBB", data[16:26])
    interlaced = data[28]
    total = 0
    for left, top, step_x, step_y in _ADAM7 if interlaced else _WHOLE:
        columns = max(0, -(-(width - left) // step_x))
        rows = max(0, -(-(height - top) // step_y))
        total += rows * (1 + -(-columns * bits * _CHANNELS[kind] // 8)) if columns else 0
    return total


def _pixel_chunks(data: bytes) -> Iterator[bytes]:
    start = 8
    while start + 8 <= len(data):
        length, kind = struct.unpack(">I4s", data[start : start + 8])
        if kind == b"IDAT":
            yield data[start + 8 : start + 8 + length]
        start += 12 + length
