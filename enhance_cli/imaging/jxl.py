"""JPEG XL files (ISO 18181), read and written through pillow-jxl-plugin."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from PIL import Image

from enhance_cli.errors import ReadError
from enhance_cli.imaging.icc import says_srgb
from enhance_cli.imaging.limits import Limits
from enhance_cli.imaging.samples import Decoded, check_size, from_pillow, told

_CODESTREAM = b"\xff\x0a"
# Widths by the height: 1:1, 12:10, 4:3, 3:2, 16:9, 5:4, 2:1.
_RATIOS = {1: (1, 1), 2: (12, 10), 3: (4, 3), 4: (3, 2), 5: (16, 9), 6: (5, 4), 7: (2, 1)}


class _Bits:
    """Numbers of any length from the lowest bit on."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "little")

    def take(self, n: int) -> int:
        found = self._value & ((1 << n) - 1)
        self._value >>= n
        return found

    def choice(self, *lengths: int) -> int:
        """A number whose length is chosen by two bits."""
        return self.take(lengths[self.take(2)])


def frames(data: bytes, limits: Limits) -> Iterator[Decoded]:
    """The picture, or the first frame. Needs pillow-jxl-plugin, which decodes 8 bits of colour."""
    from pillow_jxl import JpegXLImagePlugin

    width, height, bits = _header(_codestream(data))
    # The plug-in decodes as soon as it opens a file.
    check_size(width, height, limits)
    with JpegXLImagePlugin.JXLImageFile(io.BytesIO(data)) as image:
        metadata = replace(told(image.info), xmp=_xmp(data, limits))
        # The decoder makes a profile where the file has none.
        if metadata.icc is not None and says_srgb(metadata.icc):
            metadata = replace(metadata, icc=None)
        yield Decoded(
            from_pillow(image), metadata, "JXL", (f"{bits} bits were read as 8",) if bits > 8 else ()
        )


def _codestream(data: bytes) -> bytes:
    """The first bytes of the codestream, be it bare or in boxes."""
    if data.startswith(_CODESTREAM):
        return data[:64]
    for kind, start in (("jxlc", 4), ("jxlp", 8)):
        at = data.find(kind.encode())
        if at >= 0 and data[at + start : at + start + 2] == _CODESTREAM:
            return data[at + start : at + start + 64]
    raise ReadError("the JPEG XL file is broken or cut off; get a complete copy")


def _xmp(data: bytes, limits: Limits) -> bytes | None:
    """The XMP of a file in boxes, where it is not compressed."""
    at, n_boxes = 0, 0
    while at + 8 <= len(data) and not data.startswith(_CODESTREAM):
        length, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        head = 8
        n_boxes += 1
        limits.check("blocks", n_boxes, f"the file has more than {limits.blocks} boxes")
        if length == 1:
            length, head = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        stop = at + length if length else len(data)
        if kind == b"xml ":
            return data[at + head : stop] or None
        if stop <= at:
            break
        at = stop
    return None


def _header(codestream: bytes) -> tuple[int, int, int]:
    """Width, height and bits per channel (18181-1, SizeHeader and ImageMetadata)."""
    bits = _Bits(codestream[2:])
    small = bits.take(1)

    def side() -> int:
        return 8 * (1 + bits.take(5)) if small else 1 + bits.choice(9, 13, 18, 30)

    height = side()
    ratio = bits.take(3)
    width = side() if ratio == 0 else height * _RATIOS[ratio][0] // _RATIOS[ratio][1]
    if bits.take(1):
        return width, height, 8
    if bits.take(1):
        bits.take(3)  # orientation, which the decoder applies
        if bits.take(1) or bits.take(1) or bits.take(1):
            # An intrinsic size, a preview or an animation comes before the depth, which then stays unknown.
            return width, height, 8
    if bits.take(1):
        return width, height, 32
    return width, height, _depth(bits)


def _depth(bits: _Bits) -> int:
    which = bits.take(2)
    return (8, 10, 12)[which] if which < 3 else 1 + bits.take(6)


def encoded(image: Image.Image, quality: int, effort: int, carried: dict[str, Any]) -> bytes:
    """JPEG XL file; quality 100 is lossless. Needs pillow-jxl-plugin."""
    import pillow_jxl  # noqa: F401  registers the format

    buffer = io.BytesIO()
    how: dict[str, Any] = {"lossless": True} if quality >= 100 else {"quality": quality}
    image.save(buffer, "JXL", effort=effort, use_container=True, **how, **carried)
    return buffer.getvalue()
