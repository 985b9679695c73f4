"""AVIF and HEIC files (ISO 23008-12): AVIF through Pillow and OpenCV, HEIC through pillow-heif."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image

from enhance_cli.imaging import exif as exifs
from enhance_cli.imaging.limits import Limits
from enhance_cli.imaging.picture import Metadata, PngChunk
from enhance_cli.imaging.samples import (
    Decoded,
    Samples,
    check_size,
    from_pillow,
    split,
    stretched,
    through_opencv,
    told,
)

_CONTAINERS = {b"meta": 4, b"iprp": 0, b"ipco": 0}
"""Boxes that hold the boxes looked for, and the bytes before these."""
_PROPERTY_BYTES = 64
_UNTOLD = 2
"""Code point of ITU-T H.273 for "unspecified"."""
_SRGB = (1, 13)


def avif_frames(data: bytes, limits: Limits) -> Iterator[Decoded]:
    """All frames; pictures of 10 and 12 bits with 16."""
    bits, colour = _properties(data, limits)
    with Image.open(io.BytesIO(data), formats=("AVIF",)) as image:
        check_size(*image.size, limits)
        count: int = getattr(image, "n_frames", 1)
        limits.check("frames", count, f"the AVIF holds {count} frames")
        metadata = told(image.info, colour)
        deep = _deep(data, bits, image.size) if bits > 8 and count == 1 else None
        notes = (f"{bits} bits were read as 8",) if bits > 8 and deep is None else ()
        for number in range(count):
            image.seek(number)
            samples = deep or from_pillow(image)
            shown = float(image.info.get("duration", 0)) if count > 1 else None
            yield Decoded(samples, metadata, "AVIF", notes, count=count, milliseconds=shown)


def _deep(data: bytes, bits: int, size: tuple[int, int]) -> Samples | None:
    """The samples in 16 bits, as far as OpenCV can decode them."""
    pixels = through_opencv(data)
    if pixels is None or pixels.dtype != np.uint16 or pixels.shape[1::-1] != size:
        return None
    return split(stretched(pixels, 2**bits - 1))


def heic_frames(data: bytes, limits: Limits) -> Iterator[Decoded]:
    """The primary picture first, then the others; 10 and 12 bits with 16. Needs pillow-heif."""
    import pillow_heif

    _, colour = _properties(data, limits)
    file = pillow_heif.open_heif(data, convert_hdr_to_8bit=False, hdr_to_16bit=True)
    count, primary = len(file), file.primary_index
    for number in [primary, *(other for other in range(count) if other != primary)]:
        image = file[number]
        check_size(*image.size, limits)
        pixels = np.asarray(image)
        metadata = _turned(told(image.info, colour))
        samples = split(pixels.copy())
        yield Decoded(samples, metadata, "HEIF", count=count)


def _turned(metadata: Metadata) -> Metadata:
    """Metadata of pixels that the decoder has turned itself."""
    try:
        exif = metadata.exif and exifs.block(exifs.reset(exifs.parse(metadata.exif)))
    except ValueError:
        return metadata
    return replace(metadata, exif=exif)


def _properties(data: bytes, limits: Limits) -> tuple[int, tuple[PngChunk, ...]]:
    """Bits per channel, and the colours that code points of ITU-T H.273 tell, as a PNG would."""
    bits = 8
    colour: tuple[PngChunk, ...] = ()
    for number, (kind, at, end) in enumerate(_boxes(data, 0, len(data))):
        limits.check("blocks", number, f"the file has more than {limits.blocks} boxes")
        body = data[at : min(end, at + _PROPERTY_BYTES)]
        if kind == b"pixi" and len(body) > 5:
            bits = max(bits, *body[5:])
        elif kind == b"colr" and body[:4] == b"nclx" and len(body) >= 11:
            primaries, transfer = struct.unpack(">HH", body[4:8])
            # What is not told, or sRGB, needs no word; nor do camera files that say BT.601 and mean sRGB.
            if transfer in (16, 18) or (primaries not in (1, 5, 6, _UNTOLD) and transfer != _UNTOLD):
                colour = ((b"cICP", bytes([primaries & 255, transfer & 255, 0, 1])),)
    return bits, colour


def _boxes(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """All boxes of a file, and those among them that hold properties: type, start and end of the body."""
    at = start
    while at + 8 <= end:
        length, kind = struct.unpack_from(">I4s", data, at)
        head = 8
        if length == 1 and at + 16 <= end:
            length, head = struct.unpack_from(">Q", data, at + 8)[0], 16
        stop = end if length == 0 else min(end, at + length)
        if kind in _CONTAINERS:
            yield from _boxes(data, at + head + _CONTAINERS[kind], stop)
        yield kind, at + head, stop
        if stop <= at:
            return
        at = stop


def avif_bytes(images: list[Image.Image], quality: int, carried: dict[str, Any], **animation: Any) -> bytes:
    """AVIF file of one image, or of several with `duration` as a list of milliseconds; full chroma."""
    buffer = io.BytesIO()
    more = {"save_all": True, "append_images": images[1:], **animation} if len(images) > 1 else {}
    chroma = "4:0:0" if images[0].mode == "L" else "4:4:4"
    images[0].save(buffer, "AVIF", quality=quality, subsampling=chroma, **carried, **more)
    return buffer.getvalue()


def heic_bytes(image: Image.Image, quality: int, carried: dict[str, Any]) -> bytes:
    """HEIC file with full chroma. Needs pillow-heif."""
    import pillow_heif

    pillow_heif.register_heif_opener()
    if image.mode == "LA":
        image = image.convert("RGBA")
    buffer = io.BytesIO()
    image.save(buffer, "HEIF", quality=quality, chroma=444, **carried)
    return buffer.getvalue()
