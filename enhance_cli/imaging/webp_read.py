"""Reading of WebP (RFC 9649) and BMP files through Pillow."""

from __future__ import annotations

import io
from collections.abc import Iterator

from PIL import Image

from enhance_cli.errors import ReadError
from enhance_cli.imaging.limits import Limits
from enhance_cli.imaging.metadata import sane_dpi
from enhance_cli.imaging.picture import Metadata
from enhance_cli.imaging.samples import Decoded, animated, check_size, from_pillow, pillow_metadata


def webp_frames(data: bytes, limits: Limits) -> Iterator[Decoded]:
    """All frames, each as it looks on the screen."""
    # The decoder makes its canvas when it is opened.
    check_size(*_canvas(data), limits)
    with Image.open(io.BytesIO(data), formats=("WEBP",)) as image:
        yield from animated(image, "WEBP", pillow_metadata(image.info), limits)


def _canvas(data: bytes) -> tuple[int, int]:
    """(width, height) that the first chunk tells."""
    kind, head = data[12:16], data[20:30]
    if kind == b"VP8X":
        return 1 + int.from_bytes(head[4:7], "little"), 1 + int.from_bytes(head[7:10], "little")
    if kind == b"VP8L":
        bits = int.from_bytes(head[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 ":
        sides = int.from_bytes(head[6:8], "little"), int.from_bytes(head[8:10], "little")
        return sides[0] & 0x3FFF, sides[1] & 0x3FFF
    raise ReadError("the WebP is broken or cut off; get a complete copy")


def bmp_frames(data: bytes, limits: Limits) -> Iterator[Decoded]:
    """The picture of a BMP file."""
    with Image.open(io.BytesIO(data), formats=("BMP", "DIB")) as image:
        check_size(*image.size, limits)
        dpi = image.info.get("dpi")
        metadata = Metadata(dpi=sane_dpi(None if dpi is None else (float(dpi[0]), float(dpi[1]))))
        yield Decoded(from_pillow(image), metadata, "BMP")
