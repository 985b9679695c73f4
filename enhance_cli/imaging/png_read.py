"""Reading of PNG files (PNG 3rd edition, W3C 2025).

The chunks are looked at before a decoder sees them: their lengths are those of the file, texts and profiles
are inflated within limits, and the decoder is given only what makes the pixels.
"""

from __future__ import annotations

import binascii
import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image

from enhance_cli.errors import ReadError
from enhance_cli.imaging.exif import PREFIX as EXIF
from enhance_cli.imaging.iptc import records_of
from enhance_cli.imaging.limits import Limits
from enhance_cli.imaging.picture import Metadata, PngChunk, keyword_of
from enhance_cli.imaging.samples import Decoded, Samples, check_size, from_pillow, through_opencv

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PIXELS = {b"IHDR", b"PLTE", b"tRNS", b"IDAT"}
_ANIMATION = {b"acTL", b"fcTL", b"fdAT"}
_COLOUR = {b"gAMA", b"cHRM", b"sRGB", b"cICP", b"mDCV", b"cLLI"}
_TEXT = {b"tEXt", b"zTXt", b"iTXt"}
_PALETTE = 3
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_BITS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
_WHOLE = ((0, 0, 1, 1),)
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""First column and row, and steps of columns and rows, of each pass (section 8.1)."""
_PIECE = 1 << 20
_NAMED = 5
_CUT_OFF = "the PNG is cut off; get a complete copy"


@dataclass(frozen=True)
class _Header:
    width: int
    height: int
    bits: int
    kind: int
    """Colour type."""
    interlaced: int


def frames(data: bytes, limits: Limits) -> Iterator[Decoded]:
    """The picture, or all frames of an animated PNG."""
    chunks, warnings = _chunks(data, limits)
    kind, body = chunks[0] if chunks else (b"", b"")
    if kind != b"IHDR" or len(body) != 13:
        raise ReadError("the PNG has no header; get a complete copy")
    header = _Header(*struct.unpack(">IIBBxxB", body))
    if header.bits not in _BITS.get(header.kind, ()) or not header.width or not header.height:
        raise ReadError("the PNG's header makes no sense; get a complete copy")
    check_size(header.width, header.height, limits)
    metadata, dropped = _metadata(chunks, limits)
    count = next((int.from_bytes(body[:4], "big") for kind, body in chunks if kind == b"acTL"), 1)
    still = _file([chunk for chunk in chunks if chunk[0] in _PIXELS])
    samples = _samples(still, header, [body for kind, body in chunks if kind == b"IDAT"])
    notes = (*warnings, *dropped)
    if count <= 1:
        yield Decoded(samples, metadata, "PNG", notes)
        return
    limits.check("frames", count, f"the PNG holds {count} frames")
    animation = _file([chunk for chunk in chunks if chunk[0] in _PIXELS | _ANIMATION])
    with Image.open(io.BytesIO(animation), formats=("PNG",)) as image:
        # A picture for viewers that show no animation may come first.
        start, end = int(getattr(image, "default_image", False)), int(getattr(image, "n_frames", 1))
        for number in range(start, end):
            image.seek(number)
            first = number == 0 and header.bits == 16
            yield Decoded(
                samples if first else from_pillow(image),
                metadata,
                "PNG",
                notes if number <= 1 else (),
                count=count,
                milliseconds=float(image.info.get("duration", 0)),
                loops=int(image.info.get("loop", 0)),
            )


def _chunks(data: bytes, limits: Limits) -> tuple[list[PngChunk], list[str]]:
    """All chunks up to IEND but for damaged ones that the pixels do not need, and warnings about these."""
    found: list[PngChunk] = []
    damaged: list[str] = []
    at = len(_SIGNATURE)
    while True:
        length, kind = struct.unpack(">I4s", data[at : at + 8].ljust(8, b"\0"))
        end = at + 12 + length
        if end > len(data):
            raise ReadError(_CUT_OFF)
        body, checksum = data[at + 8 : end - 4], int.from_bytes(data[end - 4 : end], "big")
        sound = zlib.crc32(body, zlib.crc32(kind)) == checksum
        at, name = end, keyword_of(kind)
        if kind == b"IEND":
            break
        limits.check("blocks", len(found) + 1, f"the PNG has more than {limits.blocks} chunks")
        if sound:
            found.append((kind, body))
        elif kind == b"IDAT" and name not in damaged:
            found.append((kind, body))
            damaged.append(name)
        elif kind in (b"IHDR", b"PLTE", b"tRNS") or kind[:1].isupper():
            raise ReadError(f"the PNG is broken (checksum of {name}); get a complete copy")
        else:
            damaged.append(name)
    warnings = [
        "the checksum of the pixel data is wrong: parts of the picture may be damaged"
        if name == "IDAT"
        else f"the PNG's {name} is damaged and was dropped"
        for name in dict.fromkeys(damaged)
    ]
    return found, warnings


def _file(chunks: list[PngChunk]) -> bytes:
    pieces = [_SIGNATURE]
    for kind, body in [*chunks, (b"IEND", b"")]:
        pieces += [struct.pack(">I4s", len(body), kind), body]
        pieces.append(struct.pack(">I", zlib.crc32(body, zlib.crc32(kind))))
    return b"".join(pieces)


def _samples(data: bytes, header: _Header, pixels: list[bytes]) -> Samples:
    # What is missing comes out as zeros, so that most pictures need no second look.
    plain = header.bits < 16 and header.kind != _PALETTE and not header.interlaced
    with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
        samples = _shallow(image, header) if plain else None
        if (samples is None or not samples.colour[-1].any()) and is_short(header, pixels):
            raise ReadError(_CUT_OFF)
        if samples:
            return samples
        return _deep(image, header, data) if header.bits == 16 else _shallow(image, header)


def _shallow(image: Image.Image, header: _Header) -> Samples:
    if header.bits in (2, 4) and header.kind == 0 and "transparency" in image.info:
        # Pillow stretches these levels of gray to 0..255, but not the one that is transparent.
        image.info["transparency"] *= 255 // (2**header.bits - 1)
    return from_pillow(image)


def _deep(image: Image.Image, header: _Header, data: bytes) -> Samples:
    """16-bit gray or RGB, alpha as a channel or as one transparent colour."""
    # Pillow keeps 8 bits of deep colour, but it notices files that are cut off.
    image.load()
    pixels = through_opencv(data)
    if pixels is None or pixels.dtype != np.uint16:
        raise ReadError("the 16-bit samples are broken; get a complete copy")
    colour = pixels[..., :1] if header.kind in (0, 4) else pixels[..., :3]
    key = image.info.get("transparency")
    alpha = pixels[..., 3].copy() if header.kind in (4, 6) else None
    if alpha is None and key is not None:
        alpha = np.where((colour == np.array(key)).all(axis=2), 0, 65_535).astype(np.uint16)
    return Samples(colour.copy(), alpha)


def is_short(header: _Header, pixels: list[bytes]) -> bool:
    """Whether the pixel data end too early; all of it is inflated, a piece at a time.

    Decoders accept a stream that ends early without an error, and leave the rest of the picture black.
    """
    expected = 0
    for left, top, step_x, step_y in _ADAM7 if header.interlaced else _WHOLE:
        columns = max(0, -(-(header.width - left) // step_x))
        rows = max(0, -(-(header.height - top) // step_y))
        # Each row begins with its filter type.
        row = 1 + -(-columns * header.bits * _CHANNELS[header.kind] // 8)
        expected += rows * row if columns else 0
    inflater = zlib.decompressobj()
    found = 0
    for piece in pixels:
        while piece and found < expected:
            try:
                found += len(inflater.decompress(piece, _PIECE))
            except zlib.error:
                return True
            piece = inflater.unconsumed_tail
    return found + len(inflater.flush()) < expected


def _metadata(chunks: list[PngChunk], limits: Limits) -> tuple[Metadata, list[str]]:
    """What the ancillary chunks tell, and warnings about what was too long."""
    warnings: list[str] = []
    found: dict[str, bytes] = {}
    texts: list[PngChunk] = []
    too_long: list[str] = []
    dpi, aspect = None, None
    # What all texts together may have, so that many small chunks cost no more than one large one.
    room = limits.profile_bytes
    for kind, body in chunks:
        if kind == b"eXIf":
            found["exif"] = EXIF + body.removeprefix(EXIF)
        elif kind == b"pHYs" and len(body) == 9:
            x, y, unit = struct.unpack(">IIB", body)
            dpi = (x * 0.0254, y * 0.0254) if unit == 1 else None
            aspect = (x, y) if unit == 0 and x != y and x and y else None
        elif kind == b"iCCP" and "icc" not in found:
            compressed = body.partition(b"\0")[2][1:]
            found["icc"] = _inflated(compressed, limits.profile_bytes) or b""
            if not found["icc"]:
                warnings.append("the ICC profile is broken, or larger than --limit profile_bytes: dropped")
        elif kind in _TEXT:
            keyword, text = _text(kind, body, limits, room)
            # No other format has a language or a translated keyword for a comment.
            translated = kind == b"iTXt" and not body.partition(b"\0")[2][2:].startswith(b"\0\0")
            room -= min(room, limits.text_bytes) if text is None else len(text)
            if text is None:
                too_long.append(keyword_of(body))
            elif keyword == b"XML:com.adobe.xmp":
                found["xmp"] = text
            elif keyword.startswith(b"Raw profile type "):
                name = keyword.removeprefix(b"Raw profile type ")
                try:
                    # ImageMagick and others write them as text: name, length, hexadecimal digits.
                    profile = binascii.unhexlify(b"".join(text.split()[2:]))
                except binascii.Error:
                    continue
                if name in (b"exif", b"APP1") and profile.startswith(EXIF):
                    found.setdefault("exif", profile)
                elif name == b"xmp":
                    found.setdefault("xmp", profile)
                elif name in (b"iptc", b"8bim"):
                    records = records_of(profile) if profile.startswith(b"8BIM") else profile
                    found |= {} if records is None else {"iptc": records}
            elif keyword == b"Comment" and "comment" not in found and not translated:
                found["comment"] = text
            else:
                texts.append((kind, body))
    if too_long:
        names = ", ".join(dict.fromkeys(too_long[:_NAMED]))
        warnings.append(f"text that is broken, or longer than --limit text_bytes, was dropped: {names}")
    metadata = Metadata(
        icc=found.get("icc") or None,
        exif=found.get("exif"),
        xmp=found.get("xmp") or None,
        dpi=dpi,
        aspect=aspect,
        iptc=found.get("iptc"),
        comment=found.get("comment") or None,
        text=tuple(texts),
        colour=tuple(chunk for chunk in chunks if chunk[0] in _COLOUR),
    )
    return metadata, warnings


def _text(kind: bytes, body: bytes, limits: Limits, room: int) -> tuple[bytes, bytes | None]:
    """Keyword and text of a text chunk; None for a text that is broken or too long."""
    keyword, _, rest = body.partition(b"\0")
    holds_profile = keyword == b"XML:com.adobe.xmp" or keyword.startswith(b"Raw profile type ")
    limit = room if holds_profile else min(room, limits.text_bytes)
    if kind == b"tEXt":
        return keyword, rest if len(rest) <= limit else None
    if kind == b"zTXt":
        return keyword, _inflated(rest[1:], limit)
    compressed, text = rest[:1] == b"\1", rest[2:].split(b"\0", 2)[-1]
    if compressed:
        return keyword, _inflated(text, limit)
    return keyword, text if len(text) <= limit else None


def _inflated(data: bytes, limit: int) -> bytes | None:
    """The data inflated; None if they are broken or longer than `limit`."""
    inflater = zlib.decompressobj()
    try:
        text = inflater.decompress(data, limit + 1)
    except zlib.error:
        return None
    return text if len(text) <= limit and inflater.eof else None
