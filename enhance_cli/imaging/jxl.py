"""Reading of JPEG XL files (ISO 18181) through pillow-jxl-plugin."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace

from enhance_cli.errors import ReadError
from enhance_cli.imaging.heif import boxes
from enhance_cli.imaging.icc import says_srgb
from enhance_cli.imaging.limits import Limits
from enhance_cli.imaging.samples import Decoded, check_size, from_pillow, pillow_metadata

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

    codestream, xmp = _parts(data, limits)
    width, height, bits = _header(codestream)
    # The plug-in decodes as soon as it opens a file.
    check_size(width, height, limits)
    with JpegXLImagePlugin.JXLImageFile(io.BytesIO(data)) as image:
        metadata = replace(pillow_metadata(image.info), xmp=xmp)
        # The decoder makes a profile where the file has none.
        if metadata.icc is not None and says_srgb(metadata.icc):
            metadata = replace(metadata, icc=None)
        yield Decoded(
            from_pillow(image), metadata, "JXL", (f"{bits} bits were read as 8",) if bits > 8 else ()
        )


def _parts(data: bytes, limits: Limits) -> tuple[bytes, bytes | None]:
    """The first bytes of the codestream, be it bare or in boxes, and the XMP, where it is not compressed."""
    stream, xmp = data[:64], None
    if not data.startswith(_CODESTREAM):
        stream = b""
        for kind, at, end in boxes(data, limits):
            if kind in (b"jxlc", b"jxlp") and not stream:
                # A part of a codestream begins with its number.
                start = at + 4 * (kind == b"jxlp")
                stream = data[start : start + 64]
            elif kind == b"xml " and xmp is None:
                xmp = data[at:end] or None
    if not stream.startswith(_CODESTREAM):
        raise ReadError("the JPEG XL file is broken or cut off; get a complete copy")
    return stream, xmp


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
    which = bits.take(2)
    return width, height, (8, 10, 12)[which] if which < 3 else 1 + bits.take(6)
