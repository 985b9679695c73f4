"""The bytes of a file to a picture, or one clear line of error."""

from __future__ import annotations

import os
import stat
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from enhance_cli.errors import ReadError
from enhance_cli.imaging import gif_read, heif, jpeg_file, jxl, png_read, pnm, raw, tiff_read, webp_read
from enhance_cli.imaging import metadata as carried
from enhance_cli.imaging.formats import FORMATS
from enhance_cli.imaging.icc import Profile, to_srgb
from enhance_cli.imaging.limits import Limits
from enhance_cli.imaging.picture import Picture
from enhance_cli.imaging.samples import Decoded, Samples, levelled, unused_bits

_HEAD_BYTES = 64
_READERS: dict[str, Callable[[bytes, Limits], Iterator[Decoded]]] = {
    "PNG": png_read.frames,
    "JPEG": jpeg_file.frames,
    "WEBP": webp_read.webp_frames,
    "TIFF": tiff_read.frames,
    "BMP": webp_read.bmp_frames,
    "PPM": pnm.frames,
    "GIF": gif_read.frames,
    "AVIF": heif.avif_frames,
    "HEIF": heif.heic_frames,
    "JXL": jxl.frames,
    "RAW": raw.frames,
}
_SMALL, _SMALL_BYTES = ("JPEG", "BMP", "PPM"), 12
# Formats, and bytes of a pixel while one is decoded: 6 (PNM, 8 bits), 10 (JPEG), 12 (PNM, 16 bits) measured.
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}
# Pictures that are known, but not read.
_OTHERS = {
    b"\0\0\0\x0cjP  ": "JPEG 2000",
    b"\xffO\xffQ": "JPEG 2000",
    b"8BPS": "Photoshop",
    b"%PDF": "PDF",
    b"v/1\x01": "OpenEXR",
    b"#?RADIANCE": "Radiance HDR",
    b"FOVb": "raw data of a Foveon sensor",
    b"qoif": "QOI",
}


@dataclass(frozen=True)
class ReadOptions:
    """What is done with a picture on the way in, beside decoding."""

    limits: Limits = field(default_factory=Limits)
    white_level: float | None = None
    """Stored value that is white, where it is not the largest one: 1023 for 10 bits in 16."""
    black_level: float = 0.0
    """Stored value that is black."""
    icc: Profile = "keep"
    strip: carried.Strip = "none"


@dataclass(frozen=True)
class Frame:
    """One frame of an animation, or one page."""

    picture: Picture
    milliseconds: float | None
    """How long it is shown; None for a page."""
    loops: int
    """How often the animation is shown, 0 for ever."""
    count: int
    """Frames of the file; of a stream of PNM pictures 2 if there is more than one."""


def read(
    source: Path | bytes, *, max_pixels: int | None = None, options: ReadOptions | None = None
) -> Picture:
    """Decode a file (or its bytes) into an upright picture with its metadata; of several frames the first.

    Bit depth, channels and transparency are the file's. Safe to call from several threads. Raises ReadError
    for what is missing, empty, broken, cut off, larger than the limits (`max_pixels` is that of `options` by
    default), or no picture.
    """
    return first_of(read_frames(source, max_pixels=max_pixels, options=options))


def first_of(frames: Iterator[Frame]) -> Picture:
    """The first frame, with a warning where there are more."""
    frame = next(frames)
    if frame.count < 2:
        return frame.picture
    how_many = "several frames" if frame.picture.format == "PPM" else f"{frame.count} frames"
    note = f"holds {how_many}: only the first one is used"
    return replace(frame.picture, warnings=(note, *frame.picture.warnings))


def read_frames(
    source: Path | bytes, *, max_pixels: int | None = None, options: ReadOptions | None = None
) -> Iterator[Frame]:
    """All frames of an animation, as they look on the screen, or all pages; each is decoded when asked for.

    Reduced copies and masks of a TIFF are no pages. Raises ReadError as `read` does.
    """
    options = options or ReadOptions()
    if max_pixels is not None:
        options = replace(options, limits=replace(options.limits, pixels=max_pixels))
    name = str(source) if isinstance(source, Path) else "input data"
    data = bytes_of(source, options.limits) if isinstance(source, Path) else source
    try:
        if not data:
            raise ReadError("the file is empty")
        options.limits.check("file_bytes", len(data), f"{len(data)} bytes")
        options.limits.check("memory", len(data), f"the file has {len(data)} bytes")
        format = _format_of(data[:_HEAD_BYTES])
        if format in FORMATS and (missing := FORMATS[format].missing) is not None:
            raise ReadError(missing)
        if format == "TIFF" and raw.is_raw(data):
            format = "RAW"
        # A filter, not `catch_warnings`, which is not safe with threads.
        warnings.filterwarnings("ignore", module=r"PIL\.")
        limits = options.limits
        if format in _SMALL:
            limits = replace(limits, pixel_bytes=_SMALL_BYTES)
        for found in _READERS[format](data, limits):
            yield Frame(_picture(found, options), found.milliseconds, found.loops, found.count)
    except ReadError as error:
        raise ReadError(f"{name}: {error}") from error
    except MemoryError as error:
        raise ReadError(f"{name}: not enough memory to decode it") from error
    # On broken files Pillow's plug-ins raise nearly anything: OSError, SyntaxError, struct.error ...
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        title = FORMATS[format].title if format in FORMATS else "a camera's raw data"
        raise ReadError(f"{name}: {title}, broken or cut off ({reason}); get a complete copy") from error


def bytes_of(path: Path, limits: Limits | None = None) -> bytes:
    """The bytes of a picture file. Raises ReadError, before they are read, for what is none or too long."""
    limits = limits or Limits()
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode):
            raise ReadError(f"{path}: this is a folder, not a picture")
        if not stat.S_ISREG(mode):
            raise ReadError(f"{path}: a pipe or device, not a file; give - and feed it to standard input")
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
            if head:
                _format_of(head)
            size = os.fstat(file.fileno()).st_size
            limits.check("file_bytes", size, f"{size} bytes")
            limits.check("memory", size, f"the file has {size} bytes")
            file.seek(0)
            return file.read(limits.file_bytes + 1)
    except FileNotFoundError as error:
        raise ReadError(f"{path}: no such file; check the path") from error
    except PermissionError as error:
        raise ReadError(f"{path}: no permission to read it") from error
    except ReadError as error:
        text = str(error)
        raise ReadError(text if text.startswith(f"{path}: ") else f"{path}: {text}") from error
    except (OSError, ValueError) as error:
        raise ReadError(f"{path}: cannot be read ({error})") from error


def _format_of(head: bytes) -> str:
    """The format that a file begins like: a key of `_READERS`. Raises ReadError if it is none."""
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "WEBP"
    if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return "TIFF"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if head.startswith(b"BM") or int.from_bytes(head[:4], "little") in (12, 40, 52, 56, 64, 108, 124):
        return "BMP"
    if head[:1] == b"P" and head[1:2] in b"1234567Ff" and head[2:3] in b" \t\r\n#":
        return "PPM"
    if head.startswith((b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n")):
        return "JXL"
    if head[4:8] == b"ftyp":
        brands = {head[at : at + 4] for at in range(8, min(len(head), int.from_bytes(head[:4], "big")), 4)}
        if brands & {b"avif", b"avis"}:
            return "AVIF"
        if brands & _HEIC_BRANDS:
            return "HEIF"
        if b"crx " in brands:
            return "RAW"
    if head.startswith(b"FUJIFILMCCD-RAW"):
        return "RAW"
    for start, title in _OTHERS.items():
        if head.startswith(start):
            raise ReadError(f"{title} is not read; convert it to PNG or TIFF first")
    titles = ", ".join(format.title for format in FORMATS.values())
    raise ReadError(f"not a picture, or cut off; {titles} are read")


def _picture(found: Decoded, options: ReadOptions) -> Picture:
    """One frame, upright, with its metadata and what `options` ask for."""
    height, width = found.samples.colour.shape[:2]
    metadata, turn, notes = carried.settled(found.metadata, width, height)
    samples = _turned(found.samples, turn)
    channels = samples.colour.shape[2]
    lost = [*found.warnings, *notes]
    if metadata.icc is not None and not samples.managed and not carried.profile_fits(metadata.icc, channels):
        lost.append("the ICC profile does not fit the pixels and was dropped")
    metadata = carried.with_fitting_profile(metadata, channels)
    if samples.managed:
        metadata = replace(metadata, icc=None, colour=())
    if options.white_level is not None or options.black_level:
        white = options.white_level or float(np.iinfo(samples.colour.dtype).max)
        if white <= options.black_level:
            raise ReadError(f"white level {white:g} is not above black level {options.black_level:g}")
        samples = levelled(samples, options.black_level, white)
    elif (note := unused_bits(samples.colour)) is not None:
        lost.append(note)
    colour = samples.colour
    if options.icc == "srgb":
        colour, metadata, note = to_srgb(colour, metadata)
        lost += [note] if note else []
    return Picture(
        pixels=colour,
        alpha=samples.alpha,
        metadata=carried.stripped(metadata, options.strip),
        format=found.format,
        camera=found.camera,
        jpeg_quality=found.jpeg_quality,
        jpeg_subsampling=found.jpeg_subsampling,
        warnings=(*lost, *samples.warnings),
    )


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
