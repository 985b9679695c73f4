"""A TIFF writer for 8 and 16 bits, since Pillow cannot write 16-bit colour (TIFF 6.0, Adobe 1992)."""

from __future__ import annotations

import sys
import zlib

import numpy as np
from PIL import TiffImagePlugin

from enhance_cli.imaging.metadata import exif_tags
from enhance_cli.imaging.picture import Metadata, Pixels

_STRIP_BYTES = 1 << 20
_LEVEL = 3
_HEADER = b"II*\0\x08\0\0\0" if sys.byteorder == "little" else b"MM\0*\0\0\0\x08"


def write_tiff(samples: Pixels, metadata: Metadata) -> bytes:
    """TIFF file of (H, W, 1..4) uint8 or uint16 samples: gray, gray + alpha, RGB or RGBA; deflated."""
    height, width, channels = samples.shape
    rows = max(1, _STRIP_BYTES // samples[:1].nbytes)
    strips = [_strip(samples[top : top + rows]) for top in range(0, height, rows)]
    tags = TiffImagePlugin.ImageFileDirectory_v2(_HEADER)
    for tag, value in _carried(metadata).items():
        tags[tag] = value
    tags[256], tags[257] = width, height
    tags[258] = (8 * samples.itemsize,) * channels
    tags[259] = 8  # deflate
    tags[262] = 1 if channels < 3 else 2  # black is zero, RGB
    tags[277], tags[278] = channels, rows
    tags[284], tags[317] = 1, 2  # channels interleaved, horizontal differences
    if channels in (2, 4):
        tags[338] = 2  # straight alpha
    tags[279] = tuple(len(strip) for strip in strips)
    # The directory goes first; it adds its own length to these when it is packed.
    tags[273] = tuple(np.cumsum([0, *tags[279][:-1]]).tolist())
    return b"".join([_HEADER, tags.tobytes(len(_HEADER)), *strips])


def _strip(rows: Pixels) -> bytes:
    steps = rows.copy()
    steps[:, 1:] -= rows[:, :-1]
    return zlib.compress(steps.data, _LEVEL)


def _carried(metadata: Metadata) -> dict[int, object]:
    tags: dict[int, object] = exif_tags(metadata.exif) if metadata.exif is not None else {}
    if metadata.dpi is not None:
        tags.update({282: metadata.dpi[0], 283: metadata.dpi[1], 296: 2})
    if metadata.xmp is not None:
        tags[700] = metadata.xmp
    if metadata.icc is not None:
        tags[34675] = metadata.icc
    return tags
