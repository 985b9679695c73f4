"""Reading of AVIF and HEIC files (ISO 23008-12): AVIF through Pillow and OpenCV, HEIC through pillow-heif."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

import numpy as np
from PIL import Image

from enhance_cli.imaging import exif as exifs
from enhance_cli.imaging.limits import Limits
from enhance_cli.imaging.picture import PngChunk
from enhance_cli.imaging.samples import (
    Decoded,
    animated,
    check_size,
    pillow_metadata,
    split,
    stretched,
    through_opencv,
)

_CONTAINERS = {b"meta": 4, b"iprp": 0, b"ipco": 0}
"""Boxes that hold the boxes looked for, and the bytes before these."""
_PROPERTY_BYTES = 64
_UNSPECIFIED = 2
"""Code point of ITU-T H.273 for "unspecified"."""


def avif_frames(data: bytes, limits: Limits) -> Iterator[Decoded]:
    """All frames; pictures of 10 and 12 bits come as 16 bits."""
    bits, colour = _properties(data, limits)
    with Image.open(io.BytesIO(data), formats=("AVIF",)) as image:
        for frame in animated(image, "AVIF", pillow_metadata(image.info, colour), limits):
            deep = through_opencv(data) if bits > 8 and frame.count == 1 else None
            if deep is not None and deep.dtype == np.uint16 and deep.shape[1::-1] == image.size:
                yield replace(frame, samples=split(stretched(deep, 2**bits - 1)))
            else:
                yield replace(frame, warnings=(f"{bits} bits were read as 8",) if bits > 8 else ())


def heic_frames(data: bytes, limits: Limits) -> Iterator[Decoded]:
    """The primary picture first, then the others; 10 and 12 bits come as 16. Needs pillow-heif."""
    import pillow_heif

    _, colour = _properties(data, limits)
    file = pillow_heif.open_heif(data, convert_hdr_to_8bit=False, hdr_to_16bit=True)
    count, primary = len(file), file.primary_index
    for number in [primary, *(other for other in range(count) if other != primary)]:
        image = file[number]
        check_size(*image.size, limits)
        samples = split(np.asarray(image).copy())
        metadata = pillow_metadata(image.info, colour)
        if metadata.exif is not None:
            # The decoder has turned the pixels itself; broken blocks are dropped when metadata are settled.
            with suppress(ValueError):
                metadata = replace(metadata, exif=exifs.block(exifs.reset(exifs.parse(metadata.exif))))
        yield Decoded(samples, metadata, "HEIF", count=count)


def _properties(data: bytes, limits: Limits) -> tuple[int, tuple[PngChunk, ...]]:
    """Bits per channel, and the colours that code points of ITU-T H.273 tell, as a PNG would."""
    bits = 8
    colour: tuple[PngChunk, ...] = ()
    for kind, at, end in boxes(data, limits):
        body = data[at : min(end, at + _PROPERTY_BYTES)]
        if kind == b"pixi" and len(body) > 5:
            bits = max(bits, *body[5:])
        elif kind == b"colr" and body[:4] == b"nclx" and len(body) >= 11:
            primaries, transfer = struct.unpack(">HH", body[4:8])
            # What is not told, or sRGB, needs no word; nor do camera files that say BT.601 and mean sRGB.
            if transfer in (16, 18) or (
                primaries not in (1, 5, 6, _UNSPECIFIED) and transfer != _UNSPECIFIED
            ):
                colour = ((b"cICP", bytes([primaries & 255, transfer & 255, 0, 1])),)
    return bits, colour


def boxes(data: bytes, limits: Limits) -> Iterator[tuple[bytes, int, int]]:
    """All boxes of a file of ISO's base format, those within others too: type, start, end."""
    waiting, n_boxes = [(0, len(data))], 0
    while waiting:
        at, end = waiting.pop()
        if at + 8 > end:
            continue
        n_boxes += 1
        limits.check("blocks", n_boxes, f"the file has more than {limits.blocks} boxes")
        length, kind = struct.unpack_from(">I4s", data, at)
        head = 8
        if length == 1 and at + 16 <= end:
            length, head = struct.unpack_from(">Q", data, at + 8)[0], 16
        stop = end if length == 0 else min(end, at + length)
        yield kind, at + head, stop
        if stop > at:
            waiting.append((stop, end))
        if kind in _CONTAINERS:
            waiting.append((at + head + _CONTAINERS[kind], stop))
