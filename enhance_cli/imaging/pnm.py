"""PNM files, read and written: PBM, PGM, PPM, PAM and PFM, plain and binary, several in one stream."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from enhance_cli.errors import ReadError
from enhance_cli.imaging.limits import Limits, how_to_raise
from enhance_cli.imaging.picture import Metadata, Pixels
from enhance_cli.imaging.samples import Decoded, Samples, check_size, split, stretched

_SPACE = rb"(?:\s|#[^\r\n]*[\r\n])*"
_TOKEN = re.compile(_SPACE + rb"([^\s#]+)")
_BITS, _PLAIN, _FLOATS = (b"P1", b"P4"), (b"P1", b"P2", b"P3"), (b"Pf", b"PF")
_CHANNELS = {b"P1": 1, b"P2": 1, b"P3": 3, b"P4": 1, b"P5": 1, b"P6": 3, b"Pf": 1, b"PF": 3}
_MAGIC = re.compile(_SPACE + rb"P[1-7Ff]\s")
_TEXT_BLOCK = 1 << 20


@dataclass(frozen=True)
class _Header:
    kind: bytes
    width: int
    height: int
    channels: int
    full: float
    """Largest value; of PFM the scale, whose sign is the byte order."""
    end: int
    """Where the pixels begin."""


def frames(data: bytes, limits: Limits) -> Iterator[Decoded]:
    """The pictures of a stream, one after the other; all have the count 2 if there is more than one."""
    at, number = 0, 0
    while at < len(data):
        header = _header(data, at, limits)
        check_size(header.width, header.height, limits)
        samples, at = _plain(data, header) if header.kind in _PLAIN else _binary(data, header)
        more = _MAGIC.match(data[at : at + limits.header_bytes])
        number += 1
        limits.check("frames", number, f"the stream holds {number} pictures")
        yield Decoded(samples, Metadata(), "PPM", count=2 if more or number > 1 else 1)
        if not more:
            return


def _header(data: bytes, start: int, limits: Limits) -> _Header:
    """Raises ReadError for a header that is broken, or longer than the limit."""
    head = data[start : start + limits.header_bytes]
    # Nothing but white space may stand between two pictures.
    at = len(head) - len(head.lstrip())
    kind = head[at : at + 2]
    values: list[float] = []
    if kind == b"P7":
        ending = re.search(rb"\nENDHDR[ \t\r]*\n", head)
        end = ending.end() if ending else 0
        fields = dict(re.findall(rb"(?m)^(WIDTH|HEIGHT|DEPTH|MAXVAL)[ \t]+(\d{1,9})\b", head[:end]))
        if len(fields) == 4:
            values = [int(fields[name]) for name in (b"WIDTH", b"HEIGHT", b"DEPTH", b"MAXVAL")]
    else:
        end = at + 2
        wanted = (int, int) if kind in _BITS else (int, int, float if kind in _FLOATS else int)
        with suppress(ValueError):
            for read in wanted:
                if token := _TOKEN.match(head, end):
                    values.append(read(token[1]))
                    end = token.end()
        # One byte of white space ends the header.
        end += 1
        whole = len(values) == len(wanted)
        values = [*values[:2], _CHANNELS[kind], *([1] if kind in _BITS else values[2:])] if whole else []
    if not values:
        if len(data) - start > limits.header_bytes:
            what = f"the PNM header has more than {limits.header_bytes} bytes, or makes no sense"
            raise ReadError(f"{what}; {how_to_raise('header_bytes')}")
        raise ReadError("the PNM header is broken or cut off; get a complete copy")
    width, height, channels = (int(value) for value in values[:3])
    full = values[3]
    if width < 1 or height < 1 or channels not in (1, 2, 3, 4):
        raise ReadError(f"a PNM picture of {width}x{height} with {channels} channels cannot be")
    if kind not in _FLOATS and not 1 <= full <= 65_535:
        raise ReadError(f"a PNM picture's largest value is 1..65535, not {full}")
    return _Header(kind, width, height, channels, full, start + end)


def _binary(data: bytes, header: _Header) -> tuple[Samples, int]:
    """The samples of a binary picture and where they end."""
    width, height, channels = header.width, header.height, header.channels

    def part(count: int, kind: str) -> NDArray[Any]:
        if header.end + count * np.dtype(kind).itemsize > len(data):
            raise ReadError("the PNM file is cut off; get a complete copy")
        return np.frombuffer(data, kind, count, header.end)

    if header.kind == b"P4":
        row = -(-width // 8)
        packed = part(height * row, "u1").reshape(height, row)
        bits = np.unpackbits(packed, axis=1)[:, :width, None]
        return Samples((1 - bits) * np.uint8(255)), header.end + packed.nbytes
    count, shape = height * width * channels, (height, width, channels)
    if header.kind in _FLOATS:
        x = part(count, "<f4" if header.full < 0 else ">f4").reshape(shape)[::-1]
        if not np.isfinite(x).all() or x.max() > 2 or x.min() < -1:
            raise ReadError("a PFM file whose samples do not lie in 0..1; bring black to 0 and white to 1")
        deep = (np.clip(x, 0, 1) * np.float32(65_535) + np.float32(0.5)).astype(np.uint16)
        note = "floating-point samples were read as 16 bits, 1 is white"
        return Samples(deep, warnings=(note,)), header.end + x.nbytes
    levels = part(count, "u1" if header.full < 256 else ">u2").reshape(shape)
    return _scaled(levels, int(header.full)), header.end + levels.nbytes


def _scaled(levels: NDArray[Any], full: int) -> Samples:
    """Levels of 0..`full` as 8 or 16 bits; what lies above is cut off."""
    if full in (255, 65_535):
        return split(levels.astype(np.uint8 if full == 255 else np.uint16))
    levels = np.minimum(levels, full).astype(np.uint16)
    if full > 255:
        return split(stretched(levels, full))
    return split(((levels.astype(np.uint32) * 255 + full // 2) // full).astype(np.uint8))


def _plain(data: bytes, header: _Header) -> tuple[Samples, int]:
    """The samples of a picture written in decimal numbers, read a block of text at a time."""
    wanted = header.width * header.height * header.channels
    levels = np.empty(wanted, np.uint16)
    found, at = 0, header.end - 1
    while found < wanted:
        # A block ends between two numbers.
        end = min(at + _TEXT_BLOCK, len(data))
        while end < len(data) and data[end : end + 1].isdigit():
            end += 1
        text = re.sub(rb"#[^\r\n]*", b" ", data[at:end])
        if header.kind == b"P1":
            text = re.sub(rb"([01])", rb" \1", text)
        words = text.split()
        if (not words and end == len(data)) or not all(word.isdigit() and len(word) < 6 for word in words):
            raise ReadError("the PNM file is cut off, or broken among its numbers; get a complete copy")
        part = np.array(words, dtype=np.uint32)[: wanted - found]
        if part.size and part.max() > header.full:
            raise ReadError(f"the PNM file has a value above its largest, {header.full:g}")
        levels[found : found + part.size] = part
        found += part.size
        at = end
    shaped = levels.reshape(header.height, header.width, header.channels)
    if header.kind == b"P1":
        return Samples(((1 - shaped) * 255).astype(np.uint8)), len(data)
    # A plain file holds one picture.
    return _scaled(shaped, int(header.full)), len(data)


def pieces(bands: Iterable[Pixels], height: int) -> Iterator[bytes]:
    """PGM or PPM file, piece by piece, of a picture in bands of (h, W, 1 or 3) from top to bottom."""
    started = False
    for band in bands:
        if not started:
            started = True
            _, width, channels = band.shape
            kind, full = 5 if channels == 1 else 6, np.iinfo(band.dtype).max
            yield b"P%d\n%d %d\n%d\n" % (kind, width, height, full)
        yield band.astype(band.dtype.newbyteorder(">")).tobytes()
