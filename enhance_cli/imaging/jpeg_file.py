"""JPEG files (ITU-T T.81, JFIF, Exif): their segments, read before a decoder sees them, and the writer."""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np
from PIL import Image, JpegImagePlugin

from enhance_cli.errors import ReadError
from enhance_cli.imaging import ifd
from enhance_cli.imaging.exif import PREFIX as EXIF
from enhance_cli.imaging.iptc import PHOTOSHOP, records_of, resources_of
from enhance_cli.imaging.jpeg import quality_from_tables
from enhance_cli.imaging.limits import Limits
from enhance_cli.imaging.picture import Metadata
from enhance_cli.imaging.samples import Decoded, check_size, from_pillow

_XMP, _MORE_XMP = b"http://ns.adobe.com/xap/1.0/\0", b"http://ns.adobe.com/xmp/extension/\0"
_ICC, _PICTURES = b"ICC_PROFILE\0", b"MPF\0"
_END = b"\xff\xd9"
_SUBSAMPLINGS = {0: "4:4:4", 1: "4:2:2", 2: "4:2:0"}
# A marker: neither a stuffed 0xFF, nor a restart, nor a fill byte.
_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
_STANDALONE = {0x01, 0xD8}
_SCAN, _COMMENT, _ADOBE = 0xDA, 0xFE, 0xEE
_FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# What a decoder that has run out of data might be given instead: coefficients that differ in all of them.
_TAILS = (b"", b"\x55" * 4096, b"\xb6\x6d\xdb" * 2048)


@dataclass
class _Segments:
    """The first picture of a JPEG file."""

    application: list[tuple[int, bytes]] = field(default_factory=list)
    """APPn and COM segments before the pixels: marker and body."""
    tables: list[bytes] = field(default_factory=list)
    """All other segments before the pixels, whole."""
    pixels: bytes = b""
    """From the first scan on, without the end marker."""
    size: tuple[int, int] = (0, 0)
    """(width, height) of the frame header."""
    coefficients: set[tuple[int, int]] = field(default_factory=set)
    """(component, index) of those that some scan brings to full precision."""
    components: int = 0
    ended: bool = False
    """Whether there is an end marker."""


def frames(data: bytes, limits: Limits) -> Iterator[Decoded]:
    """The first picture of a JPEG file, however many follow it (previews, gain maps)."""
    found = _segments(data, limits)
    check_size(*found.size, limits)
    metadata, warnings, count = _metadata(found, limits)
    head = b"\xff\xd8" + b"".join(found.tables)
    if not found.ended:
        _check_whole(found, head)
        warnings.append("the JPEG lacks its end marker, but no pixels")
    with Image.open(io.BytesIO(b"".join([head, found.pixels, _END])), formats=("JPEG",)) as image:
        quality, subsampling = None, None
        if isinstance(image, JpegImagePlugin.JpegImageFile):
            if image.quantization:
                # The table that the first component uses, be it luma or gray.
                table = image.layer[0][3] if image.layer else min(image.quantization)
                quality = quality_from_tables(image.quantization, luma=table)
            sampling = JpegImagePlugin.get_sampling(image)
            subsampling = "gray" if image.mode == "L" else _SUBSAMPLINGS.get(sampling)
        yield Decoded(
            from_pillow(image, metadata.icc),
            metadata,
            "JPEG",
            warnings=tuple(warnings),
            count=count,
            jpeg_quality=quality,
            jpeg_subsampling=subsampling,
        )


def _segments(data: bytes, limits: Limits) -> _Segments:
    found = _Segments()
    at, scans, n_segments, first_scan = 2, 0, 0, 0
    while marker := _MARKER.search(data, at):
        start, kind = marker.start(), marker[0][1]
        if kind == 0xD9:
            found.ended = True
            break
        n_segments += 1
        limits.check("blocks", n_segments, f"the JPEG has more than {limits.blocks} segments")
        if kind in _STANDALONE:
            at = start + 2
            continue
        length = int.from_bytes(data[start + 2 : start + 4], "big")
        at = start + 2 + length
        if length < 2 or at > len(data):
            break
        body = data[start + 4 : at]
        if kind == _SCAN:
            scans += 1
            limits.check("scans", scans, f"the JPEG has more than {limits.scans} scans")
            first_scan = first_scan or start
            # The header tells which coefficients the scan brings to full precision (T.81, B.2.3).
            n = body[0] if body else 0
            if len(body) >= 4 + 2 * n and not body[3 + 2 * n] & 15:
                first, last = body[1 + 2 * n], min(body[2 + 2 * n], 63)
                parts = body[1 : 1 + 2 * n : 2]
                found.coefficients.update((part, k) for part in parts for k in range(first, last + 1))
        elif not first_scan:
            if kind in _FRAMES and len(body) >= 6:
                found.size = int.from_bytes(body[3:5], "big"), int.from_bytes(body[1:3], "big")
                found.components = body[5]
            if 0xE0 <= kind <= 0xEF or kind == _COMMENT:
                found.application.append((kind, body))
            # How the colours are coded is told by JFIF and Adobe segments.
            if kind in (0xE0, _ADOBE) or not (0xE0 <= kind <= 0xEF or kind == _COMMENT):
                found.tables.append(data[start:at])
    if not first_scan:
        raise ReadError("the JPEG is cut off before its pixels; get a complete copy")
    end = marker.start() if marker else len(data)
    found.pixels = data[first_scan:end].rstrip(b"\xff")
    return found


def _check_whole(found: _Segments, head: bytes) -> None:
    """ReadError if a JPEG without an end marker lacks pixels, too.

    Then, and only then, the decoder takes what is put behind its data for some of them, so that different
    tails make different pictures. Scans that are missing as a whole are known by their coefficients.
    """
    whole = len(found.coefficients) >= 64 * max(1, found.components)
    if whole:
        tried = []
        for tail in _TAILS:
            with Image.open(
                io.BytesIO(b"".join([head, found.pixels, tail, _END])), formats=("JPEG",)
            ) as image:
                tried.append(np.asarray(image))
        whole = all(np.array_equal(tried[0], other) for other in tried[1:])
    if not whole:
        raise ReadError("the JPEG is cut off; get a complete copy")


def _metadata(found: _Segments, limits: Limits) -> tuple[Metadata, list[str], int]:
    """Metadata, warnings about what was dropped, and the number of pictures that the file says it holds."""
    bodies: dict[bytes, list[bytes]] = {}
    names = (EXIF, _XMP, _MORE_XMP, _ICC, PHOTOSHOP, _PICTURES)
    for _, body in found.application:
        name = next((name for name in names if body.startswith(name)), None)
        if name is not None:
            bodies.setdefault(name, []).append(body[len(name) :])
    warnings = []
    if _MORE_XMP in bodies:
        warnings.append("the second part of the XMP, which one segment of a JPEG cannot hold, was dropped")
    # Each part of a profile has its number, from 1, and the number of all.
    icc = b"".join(part[2:] for part in sorted(bodies.get(_ICC, []))) or None
    if icc is not None and len(icc) > limits.profile_bytes:
        icc = None
        warnings.append("the ICC profile is larger than --limit profile_bytes and was dropped")
    exif = b"".join(bodies.get(EXIF, [])) or None
    comments = [body for kind, body in found.application if kind == _COMMENT and body.strip(b"\0 ")]
    dpi, aspect = None, None
    jfif = next((body for kind, body in found.application if kind == 0xE0 and body[:5] == b"JFIF\0"), b"")
    if len(jfif) >= 12:
        unit, x, y = struct.unpack(">BHH", jfif[7:12])
        if unit in (1, 2):
            dpi = (x * 2.54, y * 2.54) if unit == 2 else (float(x), float(y))
        elif x != y and x and y:
            aspect = x, y
    n_pictures = 1
    if _PICTURES in bodies:
        # The index of a file of several pictures (CIPA DC-007).
        with suppress(ValueError):
            layout, first = ifd.layout_of(bodies[_PICTURES][0])
            tags, _ = ifd.parsed(bodies[_PICTURES][0], layout, first)
            n_pictures = max(1, *ifd.numbers(tags.get(0xB001), layout.order)[:1], 1)
    metadata = Metadata(
        icc=icc,
        exif=None if exif is None else EXIF + exif,
        xmp=next(iter(bodies.get(_XMP, [])), None) or None,
        dpi=dpi,
        aspect=aspect,
        iptc=records_of(b"".join(bodies.get(PHOTOSHOP, []))),
        comment=b"\n".join(comments) or None,
    )
    return metadata, warnings, n_pictures


def written(image: Image.Image, quality: int, metadata: Metadata) -> bytes:
    """JPEG file of a gray or RGB image with full chroma."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality, subsampling=0)
    data = buffer.getvalue()
    # Behind the JFIF segment, which comes first and whose density is set here.
    start = 4 + int.from_bytes(data[4:6], "big")
    unit, (x, y) = 0, metadata.aspect or (1, 1)
    if metadata.dpi is not None:
        unit, x, y = 1, round(metadata.dpi[0]), round(metadata.dpi[1])
    jfif = _segment(0xE0, b"JFIF\0\x01\x01" + struct.pack(">BHHBB", unit, x, y, 0, 0))
    return b"".join([b"\xff\xd8", jfif, *_application(metadata), data[start:]])


def _application(metadata: Metadata) -> Iterator[bytes]:
    if metadata.exif is not None:
        yield _segment(0xE1, metadata.exif)
    if metadata.xmp is not None:
        yield _segment(0xE1, _XMP + metadata.xmp)
    if metadata.icc is not None:
        room = 65_533 - len(_ICC) - 2
        parts = [metadata.icc[at : at + room] for at in range(0, len(metadata.icc), room)]
        for number, part in enumerate(parts, 1):
            yield _segment(0xE2, _ICC + bytes([number, len(parts)]) + part)
    if metadata.iptc is not None:
        yield _segment(0xED, PHOTOSHOP + resources_of(metadata.iptc))
    if metadata.comment is not None:
        yield _segment(_COMMENT, metadata.comment)


def _segment(kind: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, kind, len(body) + 2) + body
