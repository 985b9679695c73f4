"""What an opened file holds as arrays: gray or RGB, 8 or 16 bits, with or without alpha."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageFile

from enhance_cli.errors import ReadError
from enhance_cli.imaging.picture import Pixels
from enhance_cli.imaging.png_rows import is_short

# OpenCV would talk to stderr about odd tags.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)

_MODES = {"1": "L", "La": "LA", "RGBX": "RGB", "RGBa": "RGBA", "PA": "RGBA", "YCbCr": "RGB", "HSV": "RGB"}
PALETTE = 3
"""Colour type of a PNG whose zeros may be any colour."""
_BITS, _PHOTOMETRIC, _PLANAR, _EXTRA_SAMPLES, _SAMPLE_FORMAT = 258, 262, 284, 338, 339


@dataclass(frozen=True)
class Samples:
    """Pixels of a file."""

    colour: Pixels
    """(H, W, 1 or 3)."""
    alpha: Pixels | None = None
    """(H, W), straight."""
    warnings: tuple[str, ...] = ()
    managed: bool = False
    """Whether the file's ICC profile has been used up: the colours are sRGB."""


def samples_of(image: ImageFile.ImageFile, data: bytes) -> Samples:
    """Decode all samples of an opened file whose bytes are `data`, as stored, but TIFFs upright.

    Raises ReadError for floats and 32 bits, and whatever Pillow raises for broken files.
    """
    if image.format == "TIFF":
        return _tiff(image, data)
    if image.format == "PPM":
        return _pnm(image, data)
    if image.format == "PNG":
        return _png(image, data)
    return _shallow(image)


def _shallow(image: Image.Image) -> Samples:
    """8 bits per channel or less, through Pillow."""
    image.load()
    if image.mode == "CMYK":
        return _cmyk(image)
    mode = _palette_mode(image) if image.mode == "P" else _MODES.get(image.mode, image.mode)
    if mode in ("L", "RGB") and image.has_transparency_data:
        mode = {"L": "LA", "RGB": "RGBA"}[mode]
    if mode not in ("L", "LA", "RGB", "RGBA"):
        raise ReadError(
            f"pixels of kind {image.mode} are not read; convert it to 8 or 16 bits of gray or RGB"
        )
    return _split(np.array(image if image.mode == mode else image.convert(mode)))


def _palette_mode(image: Image.Image) -> str:
    palette = np.asarray(image.getpalette("RGB"), dtype=np.uint8).reshape(-1, 3)
    return "L" if (palette == palette[:, :1]).all() else "RGB"


def _cmyk(image: Image.Image) -> Samples:
    profile = image.info.get("icc_profile")
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


def _tiff(image: Image.Image, data: bytes) -> Samples:
    tags = dict(image.tag_v2)  # type: ignore[attr-defined]
    bits, kinds = max(tags.get(_BITS, (1,))), tags.get(_SAMPLE_FORMAT, (1,))
    if bits > 16 or (bits == 16 and set(kinds) != {1}) or image.mode in ("F", "I"):
        raise ReadError(
            "a TIFF of 32-bit, signed or floating-point samples; convert it to 16 bits per channel"
        )
    # Pillow keeps 8 bits of deep colour, but it notices files that are cut off, which OpenCV fills up.
    image.load()
    if image.mode.startswith("I;16"):
        gray = _stretched(np.asarray(image).astype(np.uint16), 2**bits - 1)
        return Samples((65_535 - gray if tags.get(_PHOTOMETRIC) == 0 else gray)[..., None])
    if bits <= 8 or image.mode == "CMYK":
        samples = _shallow(image)
        notes = ("16-bit CMYK was read with 8 bits",) if bits > 8 else ()
        return Samples(samples.colour, samples.alpha, samples.warnings + notes, samples.managed)
    if tags.get(_PLANAR) == 2:
        raise ReadError("16-bit TIFF with one plane per channel; convert it to interleaved channels")
    return _deep_tiff(data, tags.get(_EXTRA_SAMPLES, (0,))[0])


def _deep_tiff(data: bytes, extra: int) -> Samples:
    """16-bit RGB, perhaps with a fourth channel: premultiplied alpha (`extra` 1), alpha (2), or else."""
    pixels = _opencv(data)
    if pixels.shape[2] == 3 or extra not in (1, 2):
        return Samples(pixels[..., :3].copy())
    colour, alpha = pixels[..., :3], pixels[..., 3]
    if extra == 1:
        straight = colour.astype(np.float32) * 65_535 / np.maximum(alpha, 1)[..., None] + 0.5
        colour = np.minimum(straight, 65_535).astype(np.uint16)
    return Samples(colour.copy(), alpha.copy())


def _png(image: Image.Image, data: bytes) -> Samples:
    # Pillow takes a file that ends between two chunks for a whole one.
    if b"IEND" not in data:
        raise ReadError("the PNG is cut off; get a complete copy")
    bits, kind, interlaced = data[24], data[25], data[28]
    # What is missing comes out as zeros, so that most pictures need no second look.
    plain = bits < 16 and kind != PALETTE and not interlaced
    samples = _shallow_png(image, bits, kind) if plain else None
    if (samples is None or not samples.colour[-1].any()) and is_short(data):
        raise ReadError("the PNG is cut off; get a complete copy")
    if samples:
        return samples
    return _deep_png(image, data) if bits == 16 else _shallow_png(image, bits, kind)


def _shallow_png(image: Image.Image, bits: int, kind: int) -> Samples:
    if bits in (2, 4) and kind == 0 and "transparency" in image.info:
        # Pillow stretches these levels of gray to 0..255, but not the one that is transparent.
        image.info["transparency"] *= 255 // (2**bits - 1)
    return _shallow(image)


def _deep_png(image: Image.Image, data: bytes) -> Samples:
    """16-bit gray or RGB, alpha as a channel or as one transparent colour."""
    # Pillow keeps 8 bits of deep colour, but it notices files that are cut off.
    image.load()
    pixels = _opencv(data)
    kind = data[25]
    colour = pixels[..., :1] if kind in (0, 4) else pixels[..., :3]
    key = image.info.get("transparency")
    alpha = pixels[..., 3].copy() if kind in (4, 6) else None
    if alpha is None and key is not None:
        alpha = np.where((colour == np.array(key)).all(axis=2), 0, 65_535).astype(np.uint16)
    return Samples(colour.copy(), alpha)


def _opencv(data: bytes) -> NDArray[np.uint16]:
    """(H, W, 1, 3 or 4) 16-bit samples in the order R, G, B, A, as stored."""
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if decoded is None or decoded.dtype != np.uint16:
        raise ReadError("the 16-bit samples are broken or of a rare kind; convert it to a plain 16-bit PNG")
    pixels = np.atleast_3d(decoded).astype(np.uint16, copy=False)
    return pixels[..., [2, 1, 0, 3][: pixels.shape[2]]] if pixels.shape[2] > 1 else pixels


def _pnm(image: ImageFile.ImageFile, data: bytes) -> Samples:
    arguments = image.tile[0].args
    full = arguments[1] if isinstance(arguments, tuple) and isinstance(arguments[1], int) else 255
    if image.mode == "RGB" and full > 255:
        return _deep_colour_pnm(image, data, full)
    image.load()
    if image.mode == "I":
        return Samples(np.asarray(image).astype(np.uint16)[..., None])
    return _shallow(image)


def _deep_colour_pnm(image: ImageFile.ImageFile, data: bytes, full: int) -> Samples:
    """16-bit colour: Pillow reads deep gray only, so it gets a gray picture of three times the width."""
    width, height = image.size
    kind = {b"P3": b"P2", b"P6": b"P5"}[data[:2]]
    header = b"%s %d %d %d\n" % (kind, 3 * width, height, full)
    with Image.open(BytesIO(header + data[image.tile[0].offset :]), formats=("PPM",)) as gray:
        return Samples(np.asarray(gray).astype(np.uint16).reshape(height, width, 3))


def _stretched(x: NDArray[np.uint16], full: int) -> NDArray[np.uint16]:
    if full == 65_535:
        return x
    return ((x.astype(np.uint32) * 65_535 + full // 2) // full).astype(np.uint16)


def _split(pixels: NDArray[np.uint8]) -> Samples:
    if pixels.ndim == 2:
        return Samples(pixels[..., None])
    channels = pixels.shape[2]
    if channels in (1, 3):
        return Samples(pixels)
    return Samples(pixels[..., :-1].copy(), pixels[..., -1].copy())
