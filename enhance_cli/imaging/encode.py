"""Pictures to the bytes of a file."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from enhance_cli.errors import WriteError
from enhance_cli.imaging import heif, jpeg_file, jxl, pnm
from enhance_cli.imaging.formats import FORMATS, check_fits, keeps_gray, kept_metadata, without_orientation
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
    avif_quality: int = 90
    heic_quality: int = 90
    jxl_quality: int = 100
    """100 is lossless."""
    jxl_effort: int = 5
    """1..9: how long to look for a smaller file."""


def encode(picture: Picture, format: str, *, options: EncodeOptions | None = None) -> bytes:
    """File of `picture` in `format` (a key of `FORMATS`), metadata included.

    16 bits are rounded to 8 where the format has no more (`formats.losses` tells). Raises WriteError
    where the format has no transparency but the picture does, a side is too long for it, or its package is
    not installed.
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
        parts = (samples(band, format) for band in bands)
        if format == "PNG":
            return png_pieces(parts, outline.height, metadata, options.png_level)
        return pnm.pieces(parts, outline.height)
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
    pixels = samples(picture, format)
    try:
        if format == "TIFF":
            return write_tiff(pixels, metadata)
        image = as_image(pixels)
        if format == "JPEG":
            return jpeg_file.written(image, options.jpeg_quality, metadata)
        if format == "AVIF":
            return heif.avif_bytes([image], options.avif_quality, arguments(format, metadata, options))
        if format == "HEIF":
            return heif.heic_bytes(image, options.heic_quality, arguments(format, metadata, options))
        if format == "JXL":
            how = arguments(format, metadata, options)
            return jxl.encoded(image, options.jxl_quality, options.jxl_effort, how)
        buffer = io.BytesIO()
        image.save(buffer, format, **arguments(format, metadata, options))
        return buffer.getvalue()
    # What the plug-ins raise for sizes that they cannot write is nearly anything.
    except (OSError, ValueError, OverflowError, RuntimeError) as error:
        size = f"{picture.width}x{picture.height}"
        raise WriteError(f"cannot write {size} as {FORMATS[format].title} ({error}); write PNG") from error


def as_image(pixels: Pixels) -> Image.Image:
    """(H, W, 1..4) uint8 samples as Pillow has them."""
    return Image.fromarray(np.ascontiguousarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels))


def samples(picture: Picture, format: str) -> Pixels:
    """Colour and alpha in one array (H, W, 1..4) of the depth that the format holds."""
    pixels = picture.pixels
    if picture.gray and not keeps_gray(picture, format):
        pixels = pixels.repeat(3, axis=2)
    if picture.alpha is not None:
        pixels = np.concatenate([pixels, picture.alpha[..., None]], axis=2)
    if pixels.dtype == np.uint16 and not FORMATS[format].deep:
        # 65535 = 255 * 257, so that this is v / 257 rounded; the sum stays within 32 bits, not within 16.
        return ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
    return pixels


def arguments(format: str, metadata: Metadata, options: EncodeOptions) -> dict[str, Any]:
    """Keyword arguments of Pillow's writer for `format`."""
    if format == "BMP":
        return _given(dpi=metadata.dpi)
    if format == "GIF":
        return _given(comment=metadata.comment)
    exif = metadata.exif
    if exif is not None and format in ("AVIF", "HEIF"):
        # The container states it, and Pillow would write the block anew, without what is not ASCII.
        exif = without_orientation(exif)
    carried = _given(icc_profile=metadata.icc, exif=exif, xmp=metadata.xmp)
    if format != "WEBP":
        return carried
    lossless = options.webp_quality >= 100
    # Of a lossless WebP this is effort, too: 80 takes five times as long for 1 % less. "exact" keeps the
    # colours under transparent pixels.
    quality = 20 if lossless else options.webp_quality
    method = options.webp_effort
    return {"lossless": lossless, "quality": quality, "method": method, "exact": True} | carried


def _given(**values: object) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}
