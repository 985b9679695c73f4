"""The bytes of a file to a picture, or one clear line of error."""

from __future__ import annotations

import warnings
from dataclasses import replace
from functools import cache
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageFile, JpegImagePlugin, UnidentifiedImageError

from enhance_cli.errors import ReadError
from enhance_cli.imaging import metadata as carried
from enhance_cli.imaging.jpeg import quality_from_tables
from enhance_cli.imaging.picture import Picture
from enhance_cli.imaging.samples import Samples, samples_of

DEFAULT_MAX_PIXELS = 89_478_485
"""Pictures with more pixels are refused (Pillow's own limit): a small file can claim any size."""

# The size is checked here for every file; Pillow's own check is a warning at one size, an error at another.
Image.MAX_IMAGE_PIXELS = None

# Among all that Pillow knows there are formats that start other programs (EPS): only pictures are read.
_FORMATS = ("PNG", "JPEG", "MPO", "WEBP", "TIFF", "BMP", "DIB", "PPM", "GIF", "AVIF", "HEIF", "JXL")
_SUBSAMPLINGS = {0: "4:4:4", 1: "4:2:2", 2: "4:2:0"}


def read(source: Path | bytes, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> Picture:
    """Decode a file (or its bytes) into an upright picture with its metadata.

    Bit depth, channels and transparency are the file's. Safe to call from several threads. Raises ReadError
    for what is missing, empty, broken, cut off, larger than `max_pixels`, or no picture.
    """
    name = str(source) if isinstance(source, Path) else "input data"
    data = _bytes_of(source) if isinstance(source, Path) else source
    try:
        return _decoded(data, max_pixels)
    except ReadError as error:
        raise ReadError(f"{name}: {error}") from error
    except MemoryError as error:
        raise ReadError(f"{name}: not enough memory to decode it") from error
    # On broken files Pillow's plug-ins raise nearly anything: OSError, SyntaxError, struct.error ...
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ReadError(f"{name}: broken or cut off ({reason}); get a complete copy") from error


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise ReadError(f"{path}: no such file; check the path") from error
    except IsADirectoryError as error:
        raise ReadError(f"{path}: this is a folder, not a picture") from error
    except PermissionError as error:
        raise ReadError(f"{path}: no permission to read it") from error
    except (OSError, ValueError) as error:
        raise ReadError(f"{path}: cannot be read ({error})") from error


def _decoded(data: bytes, max_pixels: int) -> Picture:
    image = _opened(data)
    _check_size(image, max_pixels)
    notes = _frames(image)
    if image.format == "PNG":
        # EXIF and XMP may follow the pixels in a PNG; elsewhere they are known now.
        image.load()
    # Both decoders of TIFF turn the pixels themselves.
    orientation = 1 if image.format == "TIFF" else carried.orientation_of(image)
    metadata, lost = carried.collect(image)
    samples = _turned(samples_of(image, data), orientation)
    height, width, channels = samples.colour.shape
    metadata = carried.for_size(metadata, width, height)
    if metadata.icc is not None and not samples.managed and not carried.profile_fits(metadata.icc, channels):
        lost.append("the ICC profile does not fit the pixels and was dropped")
    return Picture(
        pixels=samples.colour,
        alpha=samples.alpha,
        metadata=carried.with_fitting_profile(metadata, channels),
        format="JPEG" if image.format == "MPO" else str(image.format),
        jpeg_quality=_quality(image),
        jpeg_subsampling=_subsampling(image),
        warnings=(*notes, *lost, *samples.warnings),
    )


def _opened(data: bytes) -> ImageFile.ImageFile:
    """A file whose header has been read. Raises ReadError if it is empty or not one of `_FORMATS`."""
    if not data:
        raise ReadError("the file is empty")
    # A filter, not `catch_warnings`, which is not safe with threads.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    try:
        return Image.open(BytesIO(data), formats=_known_formats())
    except UnidentifiedImageError as error:
        if data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
            raise ReadError(
                "a broken TIFF, or one whose samples are not 8 or 16 bits of gray or RGB; "
                "convert it to 16 bits per channel"
            ) from error
        raise ReadError("not a picture, or cut off; PNG, JPEG, WebP, TIFF, BMP and PNM are read") from error


@cache
def _known_formats() -> tuple[str, ...]:
    Image.init()
    return tuple(name for name in _FORMATS if name in Image.OPEN)


def _check_size(image: Image.Image, max_pixels: int) -> None:
    width, height = image.size
    if width * height > max_pixels:
        raise ReadError(
            f"{width}x{height} makes {width * height} pixels, more than the limit of {max_pixels}; "
            "raise it with --max-pixels"
        )


def _frames(image: Image.Image) -> list[str]:
    frames = getattr(image, "n_frames", 1)
    return [f"holds {frames} frames: only the first one is used"] if frames > 1 else []


def _turned(samples: Samples, orientation: int) -> Samples:
    """Turn the pixels as EXIF orientation 1..8 says (Exif 2.32, 4.6.4 A)."""
    turns = {
        1: lambda x: x,
        2: lambda x: x[:, ::-1],
        3: lambda x: x[::-1, ::-1],
        4: lambda x: x[::-1],
        5: lambda x: x.swapaxes(0, 1),
        6: lambda x: x.swapaxes(0, 1)[:, ::-1],
        7: lambda x: x[::-1, ::-1].swapaxes(0, 1),
        8: lambda x: x.swapaxes(0, 1)[::-1],
    }
    turn = turns[orientation]
    alpha = None if samples.alpha is None else np.ascontiguousarray(turn(samples.alpha))
    return replace(samples, colour=np.ascontiguousarray(turn(samples.colour)), alpha=alpha)


def _quality(image: Image.Image) -> int | None:
    if not isinstance(image, JpegImagePlugin.JpegImageFile) or not image.quantization:
        return None
    return quality_from_tables(image.quantization)


def _subsampling(image: Image.Image) -> str | None:
    if not isinstance(image, JpegImagePlugin.JpegImageFile):
        return None
    if image.mode == "L":
        return "gray"
    return _SUBSAMPLINGS.get(JpegImagePlugin.get_sampling(image))
