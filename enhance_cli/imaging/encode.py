"""Pictures, animations and pages to the bytes of a file."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from PIL import Image

from enhance_cli.errors import WriteError
from enhance_cli.imaging import exif as exifs
from enhance_cli.imaging import jpeg_file, pnm
from enhance_cli.imaging.decode import Frame
from enhance_cli.imaging.formats import FORMATS, check_fits, keeps_gray, kept_metadata
from enhance_cli.imaging.limits import DEFAULT_MAX_PIXELS
from enhance_cli.imaging.picture import Metadata, Picture, Pixels, joined
from enhance_cli.imaging.png import apng_pieces, png_pieces
from enhance_cli.imaging.tiff import tiff_pages, write_tiff

MAX_HELD_PIXELS = 4 * DEFAULT_MAX_PIXELS
"""Pixels of all frames of an animation that is written at once (WebP, GIF, AVIF)."""


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
    parts = (_samples(band, format) for band in bands)
    if format == "PNG":
        return png_pieces(parts, outline.height, metadata, options.png_level)
    if format == "PPM":
        return pnm.pieces(parts, outline.height)
    pixels = _samples(joined(outline, bands), format)
    if format == "TIFF":
        return iter([write_tiff(pixels, metadata)])
    return iter([_saved([_as_image(pixels)], format, metadata, options)])


def _all_rows(bands: Iterable[Picture], height: int) -> Iterator[Picture]:
    """The bands as they are; WriteError if they are not the whole picture, which no decoder would notice."""
    rows = 0
    for band in bands:
        rows += band.height
        yield band
    if rows != height:
        raise WriteError(f"the result has {rows} rows instead of {height}; run it with --debug and report it")


def encode_frames(
    frames: Iterable[Frame], format: str, *, options: EncodeOptions | None = None
) -> Iterator[bytes]:
    """File of all `frames`, in pieces; metadata and number of repetitions are the first one's.

    Animated PNGs and the pages of a TIFF are written as they come. Frames of an animation have one size.
    Raises WriteError where the format holds one picture only, as `encode` does, or if there is no frame.
    """
    options = options or EncodeOptions()
    title = FORMATS[format].title
    if not FORMATS[format].frames and format != "PPM":
        raise WriteError(f"{title} holds one picture: write TIFF for pages, WebP for animations")
    frames = iter(frames)
    first = next(frames, None)
    if first is None:
        raise WriteError("there is no frame to write")
    picture = first.picture
    check_fits(format, picture.width, picture.height, alpha=picture.alpha is not None)
    metadata = kept_metadata(picture, format)
    shown = ((_samples(frame.picture, format), frame.milliseconds or 0) for frame in chain([first], frames))
    if format == "TIFF":
        return tiff_pages((pixels for pixels, _ in shown), metadata)
    if format == "PPM":
        return chain.from_iterable(pnm.pieces([pixels], len(pixels)) for pixels, _ in shown)
    if format == "PNG":
        return apng_pieces(_alike(shown), first.count, first.loops, metadata, options.png_level)
    held: list[Image.Image] = []
    durations, n_pixels = [], 0
    for pixels, milliseconds in shown:
        n_pixels += pixels.shape[0] * pixels.shape[1]
        if pixels.shape[:2] != (picture.height, picture.width):
            # Pillow's AVIF encoder would end the process, its GIF encoder cut them off.
            raise WriteError(f"the frames of a {title} have one size, these differ: write TIFF")
        if n_pixels > MAX_HELD_PIXELS:
            raise WriteError(
                f"the frames of a {title} have to be in memory at once, these make more than "
                f"{MAX_HELD_PIXELS} pixels: write PNG, which takes them one by one"
            )
        held.append(_as_image(pixels))
        durations.append(round(milliseconds))
    modes = {image.mode for image in held}
    mode = "RGBA" if modes & {"LA", "RGBA"} else "L" if modes == {"L"} else "RGB"
    images = [image if image.mode == mode else image.convert(mode) for image in held]
    how: dict[str, Any] = {"duration": durations}
    if format == "GIF":
        # It counts repetitions after the first showing, and says nothing for none.
        how |= {} if first.loops == 1 else {"loop": max(0, first.loops - 1), "disposal": 2}
    elif format == "WEBP":
        how["loop"] = first.loops
    return iter([_saved(images, format, metadata, options, **how)])


def _alike(shown: Iterable[tuple[Pixels, float]]) -> Iterator[tuple[Pixels, float]]:
    """The frames as they are; WriteError where they are not of one kind."""
    shape = None
    for pixels, milliseconds in shown:
        shape = shape or pixels.shape
        if pixels.shape != shape:
            raise WriteError("the frames differ in size, colour or transparency: write WebP")
        yield pixels, milliseconds


def _as_image(pixels: Pixels) -> Image.Image:
    """(H, W, 1..4) uint8 samples as Pillow has them."""
    return Image.fromarray(np.ascontiguousarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels))


def _samples(picture: Picture, format: str) -> Pixels:
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


def _saved(
    images: list[Image.Image], format: str, metadata: Metadata, options: EncodeOptions, **animation: object
) -> bytes:
    """File of one image, or of several that make an animation, as Pillow and its plug-ins write it."""
    first = images[0]
    how: dict[str, Any] = {}
    exif = metadata.exif
    if format in ("AVIF", "HEIF") and exif is not None:
        # The container states it, and Pillow would write the block anew, without what is not ASCII.
        exif = exifs.block(exifs.parse(exif).without(exifs.ORIENTATION))
    carried: dict[str, Any] = {"icc_profile": metadata.icc, "exif": exif, "xmp": metadata.xmp}
    if format == "BMP":
        carried = {"dpi": metadata.dpi}
    elif format == "GIF":
        carried = {"comment": metadata.comment}
    elif format == "AVIF":
        how = {"quality": options.avif_quality, "subsampling": "4:0:0" if first.mode == "L" else "4:4:4"}
    elif format == "HEIF":
        import pillow_heif

        pillow_heif.register_heif_opener()
        first = first.convert("RGBA") if first.mode == "LA" else first
        how = {"quality": options.heic_quality, "chroma": 444}
    elif format == "JXL":
        import pillow_jxl  # noqa: F401  registers the format

        how = {"lossless": True} if options.jxl_quality >= 100 else {"quality": options.jxl_quality}
        how |= {"effort": options.jxl_effort, "use_container": True}
    elif format == "WEBP":
        lossless = options.webp_quality >= 100
        # Without loss quality is effort, too: 80 takes five times as long for 1 % less. "exact" keeps the
        # colours under transparent pixels.
        how = {"lossless": lossless, "quality": 20 if lossless else options.webp_quality}
        how |= {"method": options.webp_effort, "exact": True}
    if len(images) > 1 or (animation and format != "AVIF"):
        how |= {"save_all": True, "append_images": images[1:], **animation}
    try:
        if format == "JPEG":
            return jpeg_file.written(first, options.jpeg_quality, metadata)
        buffer = io.BytesIO()
        first.save(buffer, format, **how, **{name: x for name, x in carried.items() if x is not None})
        return buffer.getvalue()
    # What the plug-ins raise for sizes that they cannot write is nearly anything.
    except (OSError, ValueError, OverflowError, RuntimeError) as error:
        size = f"{first.width}x{first.height}"
        raise WriteError(f"cannot write {size} as {FORMATS[format].title} ({error}); write PNG") from error
