import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from enhance_cli.errors import ReadError
from enhance_cli.imaging import files, png_read

WIDTH, HEIGHT = 13, 11


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(n_bytes: int, *, bits: int = 8, kind: int = 2, interlaced: int = 0, n_chunks: int = 1) -> bytes:
    """A PNG of ones whose pixel data end after so many bytes, as a stream that is whole in itself."""
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, bits, kind, 0, 0, interlaced)
    stream = zlib.compress(bytes([0] + [1] * (n_bytes - 1)) if interlaced else rows(n_bytes, bits, kind))
    step = -(-len(stream) // n_chunks)
    chunks = [chunk(b"IDAT", stream[i : i + step]) for i in range(0, len(stream), step)]
    palette = [chunk(b"PLTE", bytes([9, 8, 7, 200, 100, 50]))] if kind == 3 else []
    parts = [b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", header), *palette, *chunks, chunk(b"IEND", b"")]
    return b"".join(parts)


def rows(n_bytes: int, bits: int, kind: int) -> bytes:
    one = b"\0" + b"\1" * (row_bytes(bits, kind) - 1)
    return (one * HEIGHT)[:n_bytes]


def row_bytes(bits: int, kind: int) -> int:
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[kind]
    return 1 + -(-WIDTH * bits * channels // 8)


@pytest.mark.parametrize(
    ("bits", "kind"), [(8, 2), (8, 0), (8, 6), (16, 2), (16, 4), (1, 0), (4, 3), (8, 3), (2, 3)]
)
def test_a_picture_that_lacks_rows_is_refused(bits, kind):
    row = row_bytes(bits, kind)
    whole = png(HEIGHT * row, bits=bits, kind=kind)
    assert files.read(whole).pixels.shape[:2] == (HEIGHT, WIDTH)
    for n_rows in (HEIGHT - 1, 3):
        cut = png(n_rows * row, bits=bits, kind=kind, n_chunks=2)
        with pytest.raises(ReadError, match="cut off"):
            files.read(cut)


@pytest.mark.parametrize(("width", "height"), [(1, 1), (5, 3), (13, 11), (64, 40)])
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "1"])
def test_black_pictures_of_any_kind_are_whole(width, height, mode):
    buffer = io.BytesIO()
    Image.new(mode, (width, height)).save(buffer, "PNG")
    assert not files.read(buffer.getvalue()).pixels.any()


@pytest.mark.parametrize("kind", [0, 2])
def test_interlaced_pictures_count_all_passes(kind):
    # Passes of 13x11: 2x2, 2x2, 4x1, 3x3, 7x3, 6x6, 13x5 pixels.
    shapes = [(2, 2), (2, 2), (4, 1), (3, 3), (7, 3), (6, 6), (13, 5)]
    channels = {0: 1, 2: 3}[kind]
    whole = sum(n_rows * (1 + columns * channels) for columns, n_rows in shapes)
    assert files.read(png(whole, kind=kind, interlaced=1)).pixels.shape[:2] == (HEIGHT, WIDTH)
    with pytest.raises(ReadError, match="cut off"):
        files.read(png(whole - 1, kind=kind, interlaced=1))


def test_a_black_photograph_with_data_at_its_end_needs_no_second_look(monkeypatch):
    monkeypatch.setattr(png_read, "is_short", lambda *_: pytest.fail("was inflated twice"))
    pixels = np.zeros((9, 8, 3), np.uint8)
    pixels[-1] = 1
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    assert (files.read(buffer.getvalue()).pixels == pixels).all()
