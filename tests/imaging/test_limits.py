"""Small files that claim a large cost are refused, or read, at once."""

import io
import struct
import time
import zlib

import numpy as np
import pytest
from imaging.makers import chunk
from PIL import Image

from enhance_cli.errors import ReadError, UsageError
from enhance_cli.imaging.files import Limits, ReadOptions, read, read_frames

SECONDS = 5.0
"""Each of these took from 7 seconds to minutes."""


def png16_parts(side=30):
    rows = b"".join(b"\0" + np.random.default_rng(0).bytes(side * 6) for _ in range(side))
    header = struct.pack(">IIBBBBB", side, side, 16, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header), zlib.compress(rows)


def png_of_a_lying_length():
    head, pixels = png16_parts()
    return head + b"\xff\xff\xff\xffIDAT" + pixels + bytes(4) + chunk(b"IEND", b"")


def progressive_jpeg_of(n_scans):
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((1500, 2000), np.uint8)).save(buffer, "JPEG", progressive=True)
    data = buffer.getvalue()
    last, end = data.rfind(b"\xff\xda"), data.rfind(b"\xff\xd9")
    return data[:end] + data[last:end] * n_scans + data[end:]


def tiff_of(n_pages, n_tags=0, tag_bytes=0):
    """Pages of 8x8 gray pixels, each of which follows its directory."""
    parts, at = [b"II*\0\x08\0\0\0"], 8
    for page in range(n_pages):
        count = 8 + n_tags
        pixels = at + 2 + 12 * count + 4
        tags = [(256, 4, 1, 8), (257, 4, 1, 8), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1)]
        tags += [(273, 4, 1, pixels), (277, 3, 1, 1), (279, 4, 1, 64)]
        tags += [(50_000 + number, 7, tag_bytes, 8) for number in range(n_tags)]
        following = pixels + 64 if page < n_pages - 1 else 0
        directory = b"".join(struct.pack("<HHLL", *tag) for tag in tags)
        parts += [struct.pack("<H", count), directory, struct.pack("<L", following), bytes(64)]
        at = pixels + 64
    return b"".join(parts)


def gif_with_a_large_frame():
    """Decoders enlarge the screen to hold every frame."""
    data = bytearray(gif_with_a_comment_of(0))
    at = data.index(b",", 13 + (3 << (1 + (data[10] & 7))))
    data[at + 5 : at + 9] = b"\xff" * 4
    return bytes(data)


def pages_that_overlap(n_pages=2000):
    """Each has the 60,000 tags of its neighbours but for some bytes."""
    first, span = 8, 2 + 12 * 60_000
    data = bytearray(first + span + 4 + 16 * n_pages)
    data[:8] = b"II*\0\x08\0\0\0"
    for page in range(n_pages):
        at = first + 16 * page
        struct.pack_into("<H", data, at, 60_000)
        struct.pack_into("<L", data, at + span, at + 16)
    return bytes(data)


def png_of_many_bombs():
    head, pixels = png16_parts()
    bombs = chunk(b"zTXt", b"bomb\0\0" + zlib.compress(bytes(1_000_000))) * 2000
    return head + bombs + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def gif_with_a_comment_of(n_bytes):
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(buffer, "GIF")
    data = buffer.getvalue()
    at = data.index(b",", 13 + (3 << (1 + (data[10] & 7))))
    return data[:at] + b"\x21\xfe" + (b"\xff" + b"c" * 255) * (n_bytes // 255) + b"\0" + data[at:]


REFUSED = {
    "a chunk longer than the file": (png_of_a_lying_length, "cut off"),
    "thousands of scans": (lambda: progressive_jpeg_of(2000), "--limit scans=N"),
    "a hundred thousand pages": (lambda: tiff_of(100_000), "--limit frames=N"),
    "a long PNM comment": (lambda: b"P6\n#" + b"x" * 20_000_000 + b"\n2 2\n255\n", "--limit header_bytes=N"),
    "a long PAM header": (lambda: b"P7\n" + b"TUPLTYPE RGB\n" * 240_000, "--limit header_bytes=N"),
    "a large WebP canvas": (
        lambda: b"RIFF\x28\0\0\0WEBPVP8X\x0a\0\0\0\x10\0\0\0\xfe\x3f\0\xfe\x3f\0VP8L\x06\0\0\0\x2f\0\0\0\0\0",
        "--max-pixels",
    ),
    "pages that share their tags": (pages_that_overlap, "--limit blocks=N"),
    "a GIF whose frame is larger than its screen": (gif_with_a_large_frame, "--max-pixels"),
    "markers in a row": (lambda: progressive_jpeg_of(0)[:2] + b"\xff\x01" * 5_000_000, "--limit blocks=N"),
    "boxes in a row": (
        lambda: b"\0\0\0\x18ftypavif\0\0\0\0avifmif1" + b"\0\0\0\x08free" * 2_000_000,
        "--limit blocks=N",
    ),
    "many chunks": (lambda: png16_parts()[0] + chunk(b"prVt", b"") * 600_000, "--limit blocks=N"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_cost_too_much_is_refused_at_once(name):
    make, words = REFUSED[name]
    data = make()
    started = time.perf_counter()
    with pytest.raises(ReadError, match=words) as caught:
        read(data)
    assert time.perf_counter() - started < SECONDS
    assert "\n" not in str(caught.value)


CHEAP = {
    "zeros behind the end of a PNG": lambda: b"".join(
        [png16_parts()[0], chunk(b"IDAT", png16_parts()[1]), chunk(b"IEND", b""), bytes(100_000_000)]
    ),
    "texts that inflate": png_of_many_bombs,
    "tags that share their bytes": lambda: tiff_of(1, n_tags=5000, tag_bytes=50_000),
    "some thousand pages": lambda: tiff_of(9000),
    "a long GIF comment": lambda: gif_with_a_comment_of(10_000_000),
}


@pytest.mark.parametrize("name", CHEAP)
def test_what_the_pixels_do_not_need_costs_nothing(name):
    data = CHEAP[name]()
    started = time.perf_counter()
    assert read(data).pixels.shape[:2] in ((30, 30), (8, 8))
    assert time.perf_counter() - started < SECONDS


def test_a_file_too_long_is_refused_before_it_is_read(tmp_path):
    """2.5 GB that take no room on the disk."""
    path = tmp_path / "sparse.png"
    with path.open("wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        file.truncate(2_500_000_000)
    started = time.perf_counter()
    with pytest.raises(ReadError, match=r"2500000000 bytes, .*--limit file_bytes=N"):
        read(path)
    assert time.perf_counter() - started < 1
    path.write_bytes(b"no picture at all")
    with pytest.raises(ReadError, match="not a picture"):
        read(path)


def test_limits_can_be_raised():
    data = tiff_of(30)
    tight = Limits(frames=20)
    with pytest.raises(ReadError, match="more than 20 pages; raise it with --limit frames=N"):
        read(data, options=ReadOptions(limits=tight))
    raised = ReadOptions(limits=tight.raised(["frames=40", "scans=7"]))
    assert sum(1 for _ in read_frames(data, options=raised)) == 30
    assert raised.limits.scans == 7
    for wrong in ("memory=9", "pixel_bytes=1", "frames", "frames=x", "frames=0", "frame=3"):
        with pytest.raises(UsageError, match=r"--limit .*NAME=NUMBER"):
            tight.raised([wrong])


@pytest.mark.parametrize(("format", "pixel_bytes"), [("JPEG", 12), ("PNG", 24), ("TIFF", 24), ("WEBP", 24)])
def test_memory_bounds_what_is_decoded(format, pixel_bytes):
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((30, 40, 3), np.uint8)).save(buffer, format)
    data, needed = buffer.getvalue(), 30 * 40 * pixel_bytes
    assert read(data, options=ReadOptions(limits=Limits(memory=needed))).width == 40
    with pytest.raises(ReadError, match=f"may take {needed} bytes .*raise it with --memory"):
        read(data, options=ReadOptions(limits=Limits(memory=needed - 1)))
    with pytest.raises(ReadError, match=r"the file has \d+ bytes.*raise it with --memory"):
        read(data, options=ReadOptions(limits=Limits(memory=20)))
