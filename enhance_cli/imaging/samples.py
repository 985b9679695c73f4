"""What the reader of each file family hands on: 8 or 16 bits of gray or RGB, with or without alpha."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from enhance_cli.errors import ReadError
from enhance_cli.imaging.exif import PREFIX as EXIF
from enhance_cli.imaging.limits import Limits
from enhance_cli.imaging.picture import CameraMatrix, Metadata, Pixels, PngChunk

# OpenCV would talk to stderr about odd tags.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)

# The size is checked by `check_size` for every file; Pillow's own check is a warning at one size, an error at
# another.
Image.MAX_IMAGE_PIXELS = None

_MODES = {"1": "L", "La": "LA", "RGBX": "RGB", "RGBa": "RGBA", "PA": "RGBA", "YCbCr": "RGB", "HSV": "RGB"}


@dataclass(frozen=True)
class Samples:
    """Pixels of a file, as stored."""

    colour: Pixels
    """(H, W, 1 or 3)."""
    alpha: Pixels | None = None
    """(H, W), straight."""
    warnings: tuple[str, ...] = ()
    managed: bool = False
    """Whether the file's ICC profile has been used up: the colours are sRGB."""


@dataclass(frozen=True)
class Decoded:
    """One frame of a file, not yet upright."""

    samples: Samples
    metadata: Metadata
    """As the file has it."""
    format: str
    warnings: tuple[str, ...] = ()
    count: int = 1
    """Frames that the file holds in all."""
    milliseconds: float | None = None
    """How long the frame is shown; None for a page."""
    loops: int = 0
    """How often an animation is shown, 0 for ever."""
    camera: CameraMatrix | None = None
    """Of a camera's mosaic; see `Picture`."""
    jpeg_quality: int | None = None
    jpeg_subsampling: str | None = None


def check_size(width: int, height: int, limits: Limits) -> None:
    """ReadError for a picture of more pixels, or that takes more memory, than `limits` allow."""
    limits.check("pixels", width * height, f"{width}x{height} makes {width * height} pixels")
    needed = limits.pixel_bytes * width * height
    limits.check("memory", needed, f"{width}x{height} may take {needed} bytes to decode")


def from_pillow(image: Image.Image, icc: bytes | None = None) -> Samples:
    """8 bits per channel or less of an opened image; CMYK and Lab become sRGB, CMYK by the profile `icc`."""
    image.load()
    if image.mode == "CMYK":
        return _cmyk(image, icc)
    mode = _MODES.get(image.mode, image.mode)
    if mode == "P":
        palette = np.asarray(image.getpalette("RGB"), dtype=np.uint8).reshape(-1, 3)
        mode = "L" if (palette == palette[:, :1]).all() else "RGB"
    if mode in ("L", "RGB") and image.has_transparency_data:
        mode = {"L": "LA", "RGB": "RGBA"}[mode]
    if mode not in ("L", "LA", "RGB", "RGBA"):
        raise ReadError(
            f"pixels of kind {image.mode} are not read; convert it to 8 or 16 bits of gray or RGB"
        )
    return split(np.array(image if image.mode == mode else image.convert(mode)))


def animated(image: Image.Image, format: str, metadata: Metadata, limits: Limits) -> Iterator[Decoded]:
    """All frames of an opened animation, or the one picture, as they look on the screen."""
    check_size(*image.size, limits)
    count: int = getattr(image, "n_frames", 1)
    limits.check("frames", count, f"the file holds {count} frames")
    for number in range(count):
        image.seek(number)
        samples = from_pillow(image)
        # Of a GIF that shows one picture for ever, the frame has no duration.
        shown = float(image.info.get("duration", 0)) if count > 1 else None
        loops = int(image.info.get("loop", 0))
        yield Decoded(samples, metadata, format, count=count, milliseconds=shown, loops=loops)


def pillow_metadata(info: Mapping[Any, Any], colour: tuple[PngChunk, ...] = ()) -> Metadata:
    """ICC profile, EXIF and XMP that a plug-in of Pillow's kind found in a file."""
    exif = info.get("exif") or None
    if exif is not None:
        # Some give the name of the block, some an offset, some the TIFF structure alone.
        start = min((at for at in (exif.find(b"II*\0"), exif.find(b"MM\0*")) if at >= 0), default=0)
        exif = EXIF + exif[start:]
    return Metadata(
        icc=info.get("icc_profile") or None, exif=exif, xmp=info.get("xmp") or None, colour=colour
    )


def split(pixels: NDArray[Any]) -> Samples:
    """Samples of a uint8 or uint16 array (H, W) or (H, W, 1..4): channel 2 or 4 is straight alpha."""
    if pixels.ndim == 2:
        return Samples(pixels[..., None])
    if pixels.shape[2] in (1, 3):
        return Samples(pixels)
    return Samples(pixels[..., :-1].copy(), pixels[..., -1].copy())


def through_opencv(data: bytes) -> NDArray[Any] | None:
    """(H, W, 1, 3 or 4) samples of any type, in the order R, G, B, A; None if they cannot be decoded."""
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if decoded is None:
        return None
    pixels = np.atleast_3d(decoded)
    return pixels[..., [2, 1, 0, 3][: pixels.shape[2]]] if pixels.shape[2] > 1 else pixels


def stretched(x: NDArray[np.uint16], full: int) -> NDArray[np.uint16]:
    """Levels of 0..`full` brought to 0..65535, rounded."""
    if full == 65_535:
        return x
    return ((x.astype(np.uint32) * 65_535 + full // 2) // full).astype(np.uint16)


def levelled(samples: Samples, black: float, white: float) -> Samples:
    """The samples in 16 bits with `black` and what is below as 0, `white` and what is above as 65535."""
    colour = samples.colour
    scale = np.float32(65_535 / (white - black))
    rows = [
        np.clip((part.astype(np.float32) - np.float32(black)) * scale + np.float32(0.5), 0, 65_535)
        for part in np.array_split(colour, max(1, colour.size >> 20))
    ]
    alpha = samples.alpha
    if alpha is not None and alpha.dtype == np.uint8:
        alpha = alpha.astype(np.uint16) * np.uint16(257)
    deep = np.concatenate([part.astype(np.uint16) for part in rows])
    return replace(samples, colour=deep, alpha=alpha)


def unused_bits(colour: Pixels) -> str | None:
    """A warning where 16-bit samples use so little of their range that they may be 10, 12 or 14 bits."""
    if colour.dtype != np.uint16:
        return None
    top = int(colour.max())
    bits = next((bits for bits in (10, 12, 14) if top < 1 << bits), None)
    if bits is None or top == 0:
        return None
    return (
        f"no sample exceeds {top} of 65535: if these are {bits} bits stored in 16, give "
        f"--white-level {(1 << bits) - 1}, or the result is darker and coarser than it need be"
    )


def _cmyk(image: Image.Image, profile: bytes | None) -> Samples:
    if profile is not None and profile[16:20] == b"CMYK":
        try:
            source, target = ImageCms.ImageCmsProfile(BytesIO(profile)), ImageCms.createProfile("sRGB")
            converted = ImageCms.profileToProfile(image, source, target, outputMode="RGB")
            note = "CMYK was converted to sRGB through its ICC profile"
            return Samples(np.array(converted), warnings=(note,), managed=True)
        except (OSError, ImageCms.PyCMSError):
            pass
    note = "CMYK without a usable ICC profile was converted to RGB: colours may be off"
    return Samples(np.array(image.convert("RGB")), warnings=(note,), managed=True)
