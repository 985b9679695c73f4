"""A TIFF writer for 8 and 16 bits, since Pillow cannot write 16-bit colour (TIFF 6.0, Adobe 1992)."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Iterable, Iterator

import numpy as np

from enhance_cli.imaging import exif
from enhance_cli.imaging.ifd import (
    BYTE,
    UNDEFINED,
    Directory,
    Entry,
    Order,
    longs,
    packed,
    rational,
    shorts,
)
from enhance_cli.imaging.picture import Metadata, Pixels

_STRIP_BYTES = 1 << 20
_LEVEL = 3
_NATIVE: Order = "<" if sys.byteorder == "little" else ">"
_PAGE = 2
"""Kind of a file's page that is one of several."""


def write_tiff(samples: Pixels, metadata: Metadata) -> bytes:
    """TIFF file of (H, W, 1..4) uint8 or uint16 samples: gray, gray + alpha, RGB or RGBA; deflated."""
    return b"".join(tiff_pages([samples], metadata))


def tiff_pages(pages: Iterable[Pixels], metadata: Metadata) -> Iterator[bytes]:
    """TIFF file, page by page; the metadata go with the first one. See `write_tiff`."""
    carried = exif.parse(metadata.exif) if metadata.exif is not None else exif.Exif(_NATIVE, {}, {})
    order = carried.order
    yield b"II*\0\x08\0\0\0" if order == "<" else b"MM\0*\0\0\0\x08"
    start, page = 8, None
    for following in _with_end(pages):
        if page is not None:
            data = _page(
                page,
                metadata,
                carried,
                start,
                last=following is None,
                several=start > 8 or following is not None,
            )
            yield data
            start += len(data)
            metadata, carried = Metadata(dpi=metadata.dpi, icc=metadata.icc), exif.Exif(order, {}, {})
        page = following


def _with_end(pages: Iterable[Pixels]) -> Iterator[Pixels | None]:
    yield from pages
    yield None


def _page(
    samples: Pixels, metadata: Metadata, carried: exif.Exif, start: int, *, last: bool, several: bool
) -> bytes:
    """Directory and strips of one page that begins at `start`, which is even."""
    order = carried.order
    height, width, channels = samples.shape
    rows = max(1, _STRIP_BYTES // samples[:1].nbytes)
    strips = [_strip(samples[top : top + rows], order) for top in range(0, height, rows)]
    tags = carried.main | _stated(metadata, order)
    tags |= {256: longs(order, width), 257: longs(order, height)}
    tags[258] = shorts(order, *(8 * samples.itemsize,) * channels)
    tags[259] = shorts(order, 8)  # deflate
    tags[262] = shorts(order, 1 if channels < 3 else 2)  # black is zero, RGB
    tags |= {277: shorts(order, channels), 278: longs(order, rows)}
    tags |= {284: shorts(order, 1), 317: shorts(order, 2)}  # channels interleaved, horizontal differences
    if channels in (2, 4):
        tags[338] = shorts(order, 2)  # straight alpha
    if several:
        tags[254] = longs(order, _PAGE)
    sizes = [len(strip) for strip in strips]
    tags[279] = tags[273] = longs(order, *sizes)
    before = len(packed(order, tags, carried.nested, base=start)[0])
    body = start + before + before % 2
    tags[273] = longs(order, *np.cumsum([body, *sizes[:-1]]).tolist())
    end = body + sum(sizes)
    end += end % 2
    directory, _ = packed(order, tags, carried.nested, base=start, following=0 if last else end)
    data = b"".join([directory, bytes(before % 2), *strips])
    return data if last else data.ljust(end - start, b"\0")


def _strip(rows: Pixels, order: Order) -> bytes:
    steps = rows.copy()
    steps[:, 1:] -= rows[:, :-1]
    return zlib.compress(steps.astype(steps.dtype.newbyteorder(order)).data, _LEVEL)


def _stated(metadata: Metadata, order: Order) -> Directory:
    """The metadata that are no EXIF."""
    tags: Directory = {}
    unit, density = (2, metadata.dpi) if metadata.dpi is not None else (1, metadata.aspect)
    if density is not None:
        tags |= {282: rational(order, density[0]), 283: rational(order, density[1]), 296: shorts(order, unit)}
    for tag, kind, value in (
        (700, BYTE, metadata.xmp),
        (33723, UNDEFINED, metadata.iptc),
        (34675, UNDEFINED, metadata.icc),
    ):
        if value is not None:
            tags[tag] = Entry(kind, len(value), value)
    return tags
