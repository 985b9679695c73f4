"""Reading of GIF files (GIF89a); comments and other extensions are taken out before the decoder sees them."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import replace

from PIL import Image

from enhance_cli.errors import ReadError
from enhance_cli.imaging.limits import Limits
from enhance_cli.imaging.picture import Metadata
from enhance_cli.imaging.samples import Decoded, animated, check_size

_IMAGE, _EXTENSION, _TRAILER = 0x2C, 0x21, 0x3B
_CONTROL, _COMMENT, _APPLICATION = 0xF9, 0xFE, 0xFF
_XMP, _ICC, _LOOP = b"XMP DataXMP", b"ICCRGBG1012", b"NETSCAPE2.0"
# The packet is no series of sub-blocks; this makes any reader find its end.
_XMP_TRAILER = bytes([1, *range(255, -1, -1)])


def frames(data: bytes, limits: Limits) -> Iterator[Decoded]:
    """All frames, each as it looks on the screen."""
    check_size(int.from_bytes(data[6:8], "little"), int.from_bytes(data[8:10], "little"), limits)
    clean, metadata = _without_extensions(data, limits)
    with Image.open(io.BytesIO(clean), formats=("GIF",)) as image:
        for frame in animated(image, "GIF", metadata, limits):
            # The file counts repetitions, 0 for ever, and says nothing where all is shown once.
            loop = image.info.get("loop")
            yield replace(frame, loops=1 if loop is None else loop and loop + 1)


def _without_extensions(data: bytes, limits: Limits) -> tuple[bytes, Metadata]:
    """The file without its extensions but for what animations need, and its metadata."""
    at = 13 + _table(data[10:11])
    pieces, count, n_blocks = [data[:at]], 0, 0
    found: dict[bytes, bytes] = {}
    comments: list[bytes] = []
    while at < len(data) and data[at] != _TRAILER:
        start = at
        n_blocks += 1
        limits.check("blocks", n_blocks, f"the GIF has more than {limits.blocks} blocks")
        if data[at] == _IMAGE:
            count += 1
            limits.check("frames", count, f"the GIF holds more than {limits.frames} frames")
            left, top, width, height = struct.unpack("<4H", data[at + 1 : at + 9].ljust(8, b"\0"))
            # Decoders enlarge the screen to hold every frame.
            check_size(left + width, top + height, limits)
            at = _end_of_blocks(data, at + 11 + _table(data[at + 9 : at + 10]))
            pieces.append(data[start:at])
        elif data[at] == _EXTENSION:
            kind = data[at + 1 : at + 2]
            at = _end_of_blocks(data, at + 2)
            name = data[start + 3 : start + 14] if kind == bytes([_APPLICATION]) else b""
            if kind == bytes([_CONTROL]) or name == _LOOP:
                pieces.append(data[start:at])
            elif kind == bytes([_COMMENT]) and at - start <= limits.text_bytes:
                comments.append(_joined(data[start + 2 : at]))
            elif name == _XMP and at - start <= limits.profile_bytes:
                found[_XMP] = data[start + 14 : at].removesuffix(_XMP_TRAILER + b"\0")
            elif name == _ICC and at - start <= limits.profile_bytes:
                found[_ICC] = _joined(data[start + 14 : at])
        else:
            break
    if not count:
        raise ReadError("the GIF holds no picture, or is cut off; get a complete copy")
    comment = b"\n".join(text for text in comments if text.strip(b"\0 "))
    metadata = Metadata(icc=found.get(_ICC), xmp=found.get(_XMP), comment=comment or None)
    return b"".join([*pieces, bytes([_TRAILER])]), metadata


def _table(flags: bytes) -> int:
    """Bytes of the colour table that a descriptor's flags announce."""
    return 3 << (1 + (flags[0] & 7)) if flags and flags[0] & 0x80 else 0


def _end_of_blocks(data: bytes, at: int) -> int:
    """Where the sub-blocks that begin at `at` are through."""
    while at < len(data) and data[at]:
        at += 1 + data[at]
    return min(at + 1, len(data))


def _joined(blocks: bytes) -> bytes:
    parts, at = [], 0
    while at < len(blocks) and blocks[at]:
        parts.append(blocks[at + 1 : at + 1 + blocks[at]])
        at += 1 + blocks[at]
    return b"".join(parts)
