"""A TIFF writer for 8 and 16 bits, since Pillow cannot write 16-bit colour (TIFF 6.0, Adobe 1992)."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Iterable, Iterator
from itertools import chain

from enhance_cli.imaging import exif
from enhance_cli.imaging.ifd import (
    BYTE,
    UNDEFINED,
    Directory,
    Entry,
    Order,
    head_of,
    longs,
    page_of,
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
    yield head_of(order)
    start, page = 8, None
    for following in chain(pages, [None]):
        if page is not None:
            last = following is None
            tags = _tags(page, metadata, order) | ({} if last and start == 8 else {254: longs(order, _PAGE)})
            rows = max(1, _STRIP_BYTES // page[:1].nbytes)
            strips = [_strip(page[top : top + rows], order) for top in range(0, len(page), rows)]
            data = page_of(order, carried.main | tags, carried.nested, strips, base=start, last=last)
            yield data
            start += len(data)
            metadata, carried = Metadata(dpi=metadata.dpi, icc=metadata.icc), exif.Exif(order, {}, {})
        page = following


def _strip(rows: Pixels, order: Order) -> bytes:
    steps = rows.copy()
    steps[:, 1:] -= rows[:, :-1]
    return zlib.compress(steps.astype(steps.dtype.newbyteorder(order)).data, _LEVEL)


def _tags(samples: Pixels, metadata: Metadata, order: Order) -> Directory:
    """What describes the pixels of a page, and the metadata that are no EXIF."""
    height, width, channels = samples.shape
    tags = {
        256: longs(order, width),
        257: longs(order, height),
        258: shorts(order, *(8 * samples.itemsize,) * channels),
        259: shorts(order, 8),  # deflate
        262: shorts(order, 1 if channels < 3 else 2),  # black is zero, RGB
        277: shorts(order, channels),
        278: longs(order, max(1, _STRIP_BYTES // samples[:1].nbytes)),
        284: shorts(order, 1),  # channels interleaved
        317: shorts(order, 2),  # horizontal differences
    }
    if channels in (2, 4):
        tags[338] = shorts(order, 2)  # straight alpha
    unit, density = (2, metadata.dpi) if metadata.dpi is not None else (1, metadata.aspect)
    if density is not None:
        tags |= {282: rational(order, density[0]), 283: rational(order, density[1]), 296: shorts(order, unit)}
    blocks = ((700, BYTE, metadata.xmp), (33723, UNDEFINED, metadata.iptc), (34675, UNDEFINED, metadata.icc))
    return tags | {tag: Entry(kind, len(value), value) for tag, kind, value in blocks if value is not None}
