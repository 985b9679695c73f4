"""What travels with the pixels: ICC profile, EXIF, XMP, resolution."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import Any

from PIL import ExifTags, Image, TiffImagePlugin

from enhance_cli.imaging.picture import Metadata

_EXIF_IFD, _GPS_IFD, _INTEROP_IFD = ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo, ExifTags.IFD.Interop
_ORIENTATION, _X_RESOLUTION = 0x0112, 0x011A
_PIXEL_WIDTH, _PIXEL_HEIGHT = 0xA002, 0xA003

# Tags of IFD0 that describe how the file stores its pixels (TIFF 6.0), or hold what is carried elsewhere.
_STRUCTURAL = frozenset(
    {254, 255, 256, 257, 258, 259, 262, 263, 264, 265, 266, 273, 277, 278, 279, 280, 281, 284, 288, 289, 290}
    | {291, 292, 293, 301, 317, 318, 319, 320, 321, 322, 323, 324, 325, 330, 332, 333, 334, 336, 338, 339}
    | {340, 341, 342, 347, 512, 513, 514, 515, 517, 518, 519, 520, 521, 529, 530, 531, 532, 700, 34675}
)

_XMP_WIDTH = re.compile(rb"""((?:exif:PixelXDimension|tiff:ImageWidth)(?:\s*=\s*["']|>)\s*)\d+""")
_XMP_HEIGHT = re.compile(rb"""((?:exif:PixelYDimension|tiff:ImageLength)(?:\s*=\s*["']|>)\s*)\d+""")
_XMP_ORIENTATION = re.compile(rb"""(tiff:Orientation(?:\s*=\s*["']|>)\s*)\d+""")


def orientation_of(image: Image.Image) -> int:
    """EXIF (or XMP) orientation 1..8 of an opened file; 1 where there is none or it makes no sense."""
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    # Broken EXIF blocks make Pillow raise nearly anything; they must not cost the picture.
    except Exception:
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def collect(image: Image.Image) -> tuple[Metadata, list[str]]:
    """Metadata of an opened file, upright and without thumbnail, and warnings about what is broken."""
    exif, warnings = None, []
    try:
        exif = _block(image.getexif())
    except Exception:
        warnings.append("the EXIF block is broken and was dropped")
    icc = image.info.get("icc_profile") or None
    return Metadata(icc=icc, exif=exif, xmp=_xmp(image), dpi=_dpi(image)), warnings


def for_size(metadata: Metadata, width: int, height: int) -> Metadata:
    """The same metadata for a picture of `width` x `height`: sizes given in EXIF and XMP are corrected."""
    exif, xmp = metadata.exif, metadata.xmp
    if exif is not None:
        exif = _resized(exif, width, height)
    if xmp is not None:
        xmp = _XMP_WIDTH.sub(rb"\g<1>%d" % width, xmp)
        xmp = _XMP_HEIGHT.sub(rb"\g<1>%d" % height, xmp)
    return replace(metadata, exif=exif, xmp=xmp)


def profile_fits(icc: bytes, channels: int) -> bool:
    """Whether the colour space in an ICC profile's header is that of gray (1) or RGB (3) pixels."""
    return icc[16:20] == (b"GRAY" if channels == 1 else b"RGB ")


def with_fitting_profile(metadata: Metadata, channels: int) -> Metadata:
    """The same metadata, without an ICC profile that is meant for other pixels."""
    if metadata.icc is None or profile_fits(metadata.icc, channels):
        return metadata
    return replace(metadata, icc=None)


def exif_tags(exif: bytes) -> dict[int, Any]:
    """IFD0 of an EXIF block, its nested directories as dicts: what a TIFF directory takes."""
    block = Image.Exif()
    block.load(exif)
    return _tags(block)


def _tags(exif: Image.Exif) -> dict[int, Any]:
    tags = {tag: exif[tag] for tag in exif if tag not in _STRUCTURAL}
    for tag in (_EXIF_IFD, _GPS_IFD):
        if tag in tags:
            tags[tag] = dict(exif.get_ifd(tag))
    if _INTEROP_IFD in tags.get(_EXIF_IFD, {}):
        tags[_EXIF_IFD][_INTEROP_IFD] = dict(exif.get_ifd(_INTEROP_IFD))
    return tags


def _block(exif: Image.Exif) -> bytes | None:
    """An EXIF block of the descriptive tags alone, upright and without the thumbnail."""
    tags = _tags(exif)
    if _ORIENTATION in tags:
        tags[_ORIENTATION] = 1
    return _packed(tags) if tags else None


def _packed(tags: dict[int, Any]) -> bytes:
    block = Image.Exif()
    block.update(tags)
    return bytes(block.tobytes())


def _resized(exif: bytes, width: int, height: int) -> bytes:
    tags = exif_tags(exif)
    details = tags.get(_EXIF_IFD, {})
    if _PIXEL_WIDTH not in details and _PIXEL_HEIGHT not in details:
        return exif
    details.update({_PIXEL_WIDTH: width, _PIXEL_HEIGHT: height})
    return _packed(tags)


def _xmp(image: Image.Image) -> bytes | None:
    xmp = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp")
    if isinstance(xmp, str):
        xmp = xmp.encode()
    return _XMP_ORIENTATION.sub(rb"\g<1>1", xmp) if isinstance(xmp, bytes) and xmp else None


def _dpi(image: Image.Image) -> tuple[float, float] | None:
    """Dots per inch, unless they make no sense (JPEG holds whole numbers up to 65535)."""
    if isinstance(image, TiffImagePlugin.TiffImageFile) and _X_RESOLUTION not in image.tag_v2:
        # Pillow says 1 where a TIFF says nothing.
        return None
    try:
        x, y = (float(value) for value in image.info["dpi"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    sane = all(math.isfinite(value) and 1 <= value <= 65_535 for value in (x, y))
    return (x, y) if sane else None
