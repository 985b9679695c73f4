"""Pictures to the bytes of a file."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from enhance_cli.errors import WriteError
from enhance_cli.imaging.formats import FORMATS, check_fits, keeps_gray, kept_metadata
from enhance_cli.imaging.picture import Metadata, Picture, Pixels, joined
from enhance_cli.imaging.png import png_pieces
from enhance_cli.imaging.tiff import write_tiff


@dataclass(frozen=True)
class EncodeOptions:
    """How hard and how lossy to compress."""

    png_level: int = 2
    """zlib level 0..9."""
    jpeg_quality: int = 95
    webp_quality: int = 100
    """100 is lossless."""
    webp_effort: int = 4
    """0..6: how long to look for a smaller file."""


def encode(picture: Picture, format: str, *, options: EncodeOptions | None = None) -> bytes:
    """File of `picture` in `format` ("PNG" "JPEG" "WEBP" "TIFF" "BMP" "PPM"), metadata included.

    16 bits are rounded to 8 where the format has no more (`formats.losses` tells). Raises WriteError
    where the format has no transparency but the picture does, or a side is too long for it.
    """
    return b"".join(encode_bands(picture, [picture], format, options=options))


def encode_bands(
    outline: Picture, bands: Iterable[Picture], format: str, *, options: EncodeOptions | None = None
) -> Iterator[bytes]:
    """The same file in pieces, of a picture that comes in bands of rows, from top to bottom.

    `outline`: the picture but for its pixels. PNG and PNM are written band by band, the others when the
    last one is there. Raises WriteError as `encode` does, and where rows are missing.
    """
    options = options or EncodeOptions()
    check_fits(format, outline.width, outline.height, alpha=outline.alpha is not None)
    metadata = kept_metadata(outline, format)
    bands = _all_rows(bands, outline.height)
    if format in ("PNG", "PPM"):
        samples = (_samples(band, format) for band in bands)
        if format == "PNG":
            return png_pieces(samples, outline.height, metadata, options.png_level)
        return _pnm(samples, outline.height)
    return iter([_whole(joined(outline, bands), format, metadata, options)])


def _all_rows(bands: Iterable[Picture], height: int) -> Iterator[Picture]:
    """The bands as they are; WriteError if they are not the whole picture, which no decoder would notice."""
    rows = 0
    for band in bands:
        rows += band.height
        yield band
    if rows != height:
        raise WriteError(f"the result has {rows} rows instead of {height}; run it with --debug and report it")


def _whole(picture: Picture, format: str, metadata: Metadata, options: EncodeOptions) -> bytes:
    samples = _samples(picture, format)
    try:
        if format == "TIFF":
            return write_tiff(samples, metadata)
        return _through_pillow(samples, format, _arguments(format, metadata, options))
    except (OSError, ValueError, OverflowError) as error:
        size = f"{picture.width}x{picture.height}"
        raise WriteError(f"cannot write {size} as {FORMATS[format].title} ({error}); write PNG") from error


def _samples(picture: Picture, format: str) -> Pixels:
    """Colour and alpha in one array (H, W, 1..4) of the depth that the format holds."""
    pixels = picture.pixels
    if picture.alpha is not None:
        if picture.gray and not keeps_gray(picture, format):
            pixels = pixels.repeat(3, axis=2)
        return _shallow(np.concatenate([pixels, picture.alpha[..., None]], axis=2), format)
    return _shallow(pixels, format)


def _shallow(pixels: Pixels, format: str) -> Pixels:
    """The samples, rounded to 8 bits where the format holds no more."""
    if pixels.dtype == np.uint16 and not FORMATS[format].deep:
        # 65535 = 255 * 257, so that this is v / 257 rounded; the sum stays within 32 bits, not within 16.
        return ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
    return pixels


def _pnm(bands: Iterable[Pixels], height: int) -> Iterator[bytes]:
    header: bytes | None = None
    for band in bands:
        if header is None:
            _, width, channels = band.shape
            kind, full = 5 if channels == 1 else 6, np.iinfo(band.dtype).max
            yield (header := b"P%d\n%d %d\n%d\n" % (kind, width, height, full))
        yield band.astype(band.dtype.newbyteorder(">")).tobytes()


def _arguments(format: str, metadata: Metadata, options: EncodeOptions) -> dict[str, Any]:
    """Keyword arguments of Pillow's writer for `format`."""
    if format == "BMP":
        return _given(dpi=metadata.dpi)
    carried = _given(icc_profile=metadata.icc, exif=metadata.exif, xmp=metadata.xmp)
    if format == "JPEG":
        return {"quality": options.jpeg_quality, "subsampling": 0} | _given(dpi=metadata.dpi) | carried
    lossless = options.webp_quality >= 100
    # Of a lossless WebP this is effort, too: 80 takes five times as long for 1 % less. "exact" keeps the
    # colours under transparent pixels.
    quality = 20 if lossless else options.webp_quality
    method = options.webp_effort
    return {"lossless": lossless, "quality": quality, "method": method, "exact": True} | carried


def _given(**values: object) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def _through_pillow(samples: Pixels, format: str, arguments: dict[str, Any]) -> bytes:
    plane = samples[..., 0] if samples.shape[2] == 1 else samples
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(plane)).save(buffer, format, **arguments)
    return buffer.getvalue()
