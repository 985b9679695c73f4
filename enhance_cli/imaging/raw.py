"""A camera's raw data (DNG, CR2, CR3, NEF, ARW): the sensor's mosaic, and what turns it into colours.

LibRaw unpacks the file; nothing else of it is used. The mosaic is brought into the shape that networks know:
black and white levels and the white balance applied, and the samples encoded with sRGB's tone curve. The
camera's matrix comes after the network, in linear light (Adobe's DNG specification, chapter 6).
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from enhance_cli.errors import ReadError
from enhance_cli.imaging import exif, ifd
from enhance_cli.imaging.colour import from_float, srgb_decoded, srgb_encoded, to_float
from enhance_cli.imaging.limits import Limits
from enhance_cli.imaging.picture import CameraMatrix, Metadata, Pixels
from enhance_cli.imaging.samples import Decoded, Samples, check_size

_PHOTOMETRIC, _SUB_IFDS, _DNG_VERSION = 262, 330, 50706
_MOSAIC, _LINEAR = 32803, 34892
# Linear sRGB to XYZ under D65 (IEC 61966-2-1).
_SRGB_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
_TURNS = {0: 1, 3: 3, 5: 8, 6: 6}
"""How LibRaw calls the ways to turn a picture, and EXIF."""
_ROWS = 256


def developed(pixels: Pixels, matrix: CameraMatrix) -> Pixels:
    """(H, W, 3) in the camera's colours to sRGB, both encoded with sRGB's curve, of the same type."""
    mix = np.asarray(matrix, np.float32).T
    out = np.empty_like(pixels)
    for top in range(0, len(pixels), _ROWS):
        rows = slice(top, top + _ROWS)
        linear = srgb_decoded(to_float(pixels[rows])) @ mix
        out[rows] = from_float(srgb_encoded(linear.clip(0, 1)), pixels.dtype)
    return out


def is_raw(data: bytes) -> bool:
    """Whether a TIFF structure holds a sensor's samples, whatever preview comes first."""
    if data[8:10] == b"CR":
        return True
    try:
        layout, first = ifd.layout_of(data)
        wanted = frozenset({_PHOTOMETRIC, _SUB_IFDS, _DNG_VERSION})
        main, _ = ifd.parsed(data, layout, first, wanted)
    except ValueError:
        return False
    pages = [main]
    for offset in ifd.numbers(main.get(_SUB_IFDS), layout.order)[:16]:
        with suppress(ValueError):
            pages.append(ifd.parsed(data, layout, offset, wanted)[0])
    kinds = {kind for page in pages for kind in ifd.numbers(page.get(_PHOTOMETRIC), layout.order)}
    version = main.get(_DNG_VERSION)
    is_dng = version is not None and (version.kind, version.count) == (ifd.BYTE, 4)
    return is_dng or bool(kinds & {_MOSAIC, _LINEAR})


def frames(data: bytes, limits: Limits) -> Iterator[Decoded]:
    """The mosaic, (H, W, 3) with zeros, of 16 bits. Needs rawpy.

    Raises ReadError for sensors without a Bayer mosaic.
    """
    try:
        import rawpy
    except ImportError as error:
        raise ReadError(
            "a camera's raw data need the package rawpy: pip install 'enhance-cli[raw]'"
        ) from error
    try:
        with rawpy.imread(io.BytesIO(data)) as file:
            # Known before anything is unpacked.
            check_size(file.sizes.raw_width, file.sizes.raw_height, limits)
            # LibRaw knows no pattern of sensors without a mosaic, and one of 6x6 of X-Trans.
            pattern = file.raw_pattern
            if pattern is None or pattern.shape != (2, 2) or file.color_desc != b"RGBG":
                kind = "an X-Trans" if pattern is not None and pattern.shape == (6, 6) else "no Bayer"
                raise ReadError(f"the sensor has {kind} mosaic, which is not read; develop it elsewhere")
            stored = file.raw_image_visible.astype(np.float32)
            colours = file.raw_colors_visible
            black = np.asarray(file.black_level_per_channel, np.float32)
            white = float(file.white_level)
            balance = np.asarray(file.camera_whitebalance[:3], np.float32)
            if not (balance > 0).all():
                balance = np.asarray(file.daylight_whitebalance[:3], np.float32)
            by_name = np.asarray(file.rgb_xyz_matrix, np.float64)[:3]
            stated = np.asarray(file.color_matrix, np.float64)[:, :3]
            turn = _TURNS.get(file.sizes.flip, 1)
    except rawpy.LibRawError as error:
        raise ReadError(f"the raw data are broken, cut off or of an unknown kind ({error})") from error
    if white <= black.max():
        raise ReadError(f"its white level {white:g} is not above its black level {black.max():g}")
    # The least gain is 1: what was white stays white in all colours, and nothing is blown out twice.
    gains = balance / balance.min() if (balance > 0).all() else np.ones(3, np.float32)
    per_sample = np.array([*gains, gains[1]], np.float32)[colours]
    levels = (stored - black[colours]) / (white - black[colours]) * per_sample
    encoded = from_float(srgb_encoded(levels.clip(0, 1)), np.uint16)
    # The second green is the fourth colour.
    which = np.array([0, 1, 2, 1])[colours]
    mosaic = np.where(which[..., None] == np.arange(3), encoded[..., None], 0).astype(np.uint16)
    # A DNG states its matrix, which LibRaw has turned round already; other cameras are known by their names.
    to_srgb = None if _is_dng(data) else _turned_round(by_name)
    if to_srgb is None and np.allclose(stated.sum(1), 1, atol=1e-3):
        to_srgb = stated
    yield Decoded(
        Samples(mosaic),
        _metadata(data, turn),
        "RAW",
        () if to_srgb is not None else ("no colour matrix is known: colours are the camera's own",),
        camera=tuple(map(tuple, (np.eye(3) if to_srgb is None else to_srgb).tolist())),
    )


def _turned_round(to_camera: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Camera to linear sRGB, from the (3, 3) matrix XYZ to camera; None where that says nothing."""
    from_srgb = to_camera @ _SRGB_TO_XYZ
    sums = from_srgb.sum(1, keepdims=True)
    if (np.abs(sums) < 1e-6).any() or abs(np.linalg.det(from_srgb / sums)) < 1e-6:
        return None
    return np.linalg.inv(from_srgb / sums)


def _is_dng(data: bytes) -> bool:
    try:
        layout, first = ifd.layout_of(data)
        return _DNG_VERSION in ifd.parsed(data, layout, first, frozenset({_DNG_VERSION}))[0]
    except ValueError:
        return False


def _metadata(data: bytes, turn: int) -> Metadata:
    """EXIF where the file is a TIFF, and how the picture is to be turned."""
    tags = exif.Exif("<", {}, {}, 0)
    with suppress(ValueError):
        layout, first = ifd.layout_of(data)
        tags = exif.of_directory(data, layout, first)
    # What describes the raw samples (private tags of DNG) does not describe the picture.
    main = {tag: entry for tag, entry in tags.main.items() if tag < 50000 and not 33421 <= tag <= 33422}
    main[exif.ORIENTATION] = ifd.shorts(tags.order, turn)
    return Metadata(exif=exif.block(replace(tags, main=main)))
