"""Conversion to sRGB from ICC profiles (ISO 15076-1) and from what PNG chunks say in their place.

Profiles of curves and a matrix, as cameras and editors write them, are computed here in floats, so that
16 bits stay 16 bits; tables of other profiles go through Little CMS with 8 bits.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from enhance_cli.imaging.colour import D50, SRGB_TO_D50, srgb_encoded
from enhance_cli.imaging.picture import Metadata, Pixels, PngChunk

Profile = Literal["keep", "srgb"]
"""What becomes of colours that are not sRGB: as they are, with their profile, or converted."""

_BLOCK_SAMPLES = 1 << 20
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
# ITU-T H.273: x and y of white, red, green, blue.
_PRIMARIES = {
    1: (0.3127, 0.3290, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06),
    9: (0.3127, 0.3290, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046),
    12: (0.3127, 0.3290, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
}
_GAMMAS = {4: 2.2, 5: 2.8, 8: 1.0}
# That of sRGB, and those of BT.709 and BT.2020 cameras, which programs show alike.
_SRGB_CURVES = (13, 1, 6, 14, 15)
# Gamma and chromaticities that a PNG gives for sRGB, and by how much they may differ: no eye sees less.
_SRGB_GAMMA, _NEAR_GAMMA, _NEAR_PRIMARY, _NEAR_CURVE = 0.45455, 0.005, 0.003, 0.002


@dataclass(frozen=True)
class _Colours:
    """How samples become light: a curve for each channel and a matrix to XYZ of ICC's white."""

    curves: tuple[NDArray[np.float64], ...]
    """Linear light at evenly spaced samples from 0 to 1."""
    matrix: NDArray[np.float64]
    """(3, 3); of gray it is not used."""


def to_srgb(colour: Pixels, metadata: Metadata) -> tuple[Pixels, Metadata, str | None]:
    """The same colours in sRGB, metadata without a colour space, and a warning where it cannot be done."""
    plain = replace(metadata, icc=None, colour=())
    if metadata.icc is None:
        colours = _of_chunks(metadata.colour)
        if colours is None:
            return colour, metadata if hdr(metadata.colour) else plain, None
        if colour.shape[2] == 1:
            colours = replace(colours, curves=colours.curves[:1])
    else:
        colours = _of_icc(metadata.icc)
    if colours is not None and len(colours.curves) == colour.shape[2]:
        return _converted(colour, colours), plain, None
    if metadata.icc is None or colour.dtype != np.uint8:
        return colour, metadata, "colours of this kind cannot be converted to sRGB with 16 bits and were kept"
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(metadata.icc))
        gray = colour.shape[2] == 1
        image = Image.fromarray(colour[..., 0] if gray else colour)
        found = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
        pixels = np.array(found)
        return pixels[..., :1].copy() if gray else pixels, plain, None
    except (OSError, ImageCms.PyCMSError):
        return colour, metadata, "the ICC profile is broken: its colours were kept as they are"


def says_srgb(icc: bytes) -> bool:
    """Whether a profile says no more than that the colours are sRGB."""
    colours = _of_icc(icc)
    if colours is None or len(colours.curves) != 3:
        return False
    srgb = _srgb_linear(np.linspace(0, 1, 256))
    near = all(np.abs(_sampled(curve, 256) - srgb).max() < _NEAR_CURVE for curve in colours.curves)
    return near and bool(np.abs(colours.matrix - SRGB_TO_D50).max() < _NEAR_PRIMARY)


def hdr(chunks: tuple[PngChunk, ...]) -> bool:
    """Whether the samples are coded for high dynamic range (PQ or HLG)."""
    return any(kind == b"cICP" and body[1:2] in (b"\x10", b"\x12") for kind, body in chunks)


def profile_for(chunks: tuple[PngChunk, ...], gray: bool) -> bytes | None:
    """An ICC profile that says what a PNG's gamma, chromaticities or code points say.

    None where that is sRGB, which needs no word, or cannot be said (HDR).
    """
    colours = _of_chunks(chunks)
    return None if colours is None else _written(colours, gray)


def _converted(colour: Pixels, colours: _Colours) -> Pixels:
    full = np.iinfo(colour.dtype).max
    tables = [_sampled(curve, full + 1).astype(np.float32) for curve in colours.curves]
    out = np.empty_like(colour)
    matrix = (np.linalg.inv(SRGB_TO_D50) @ colours.matrix).astype(np.float32)
    step = max(1, _BLOCK_SAMPLES // colour[:1].size)
    for top in range(0, len(colour), step):
        rows = colour[top : top + step]
        linear = np.stack([table[rows[..., at]] for at, table in enumerate(tables)], axis=2)
        if len(tables) == 3:
            linear = linear @ matrix.T
        out[top : top + step] = np.clip(srgb_encoded(linear) * full + 0.5, 0, full)
    return out


def _sampled(curve: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    """A curve at `n` evenly spaced points."""
    return np.interp(np.linspace(0, 1, n), np.linspace(0, 1, len(curve)), curve)


def _of_icc(icc: bytes) -> _Colours | None:
    """Curves and matrix of a profile; None if it has tables instead, or is broken."""
    try:
        count = struct.unpack_from(">L", icc, 128)[0]
        tags = {}
        for number in range(min(count, 200)):
            name, at, size = struct.unpack_from(">4sLL", icc, 132 + 12 * number)
            tags[name] = icc[at : at + size]
        if b"A2B0" in tags:
            return None
        if icc[16:20] == b"GRAY":
            return _Colours((_curve(tags[b"kTRC"]),), np.eye(3))
        columns = [np.array(struct.unpack_from(">3l", tags[name], 8)) for name in (b"rXYZ", b"gXYZ", b"bXYZ")]
        curves = tuple(_curve(tags[name]) for name in (b"rTRC", b"gTRC", b"bTRC"))
        return _Colours(curves, np.stack(columns, axis=1) / 65_536)
    except (struct.error, KeyError, IndexError, ValueError, ZeroDivisionError):
        return None


def _curve(tag: bytes) -> NDArray[np.float64]:
    """Values of a `curv` or `para` tag at evenly spaced points."""
    x = np.linspace(0, 1, 4097)
    if tag[:4] == b"curv":
        count = struct.unpack_from(">L", tag, 8)[0]
        if count == 0:
            return x
        table = np.frombuffer(tag, ">u2", count, 12)
        return x ** (float(table[0]) / 256) if count == 1 else table / 65_535
    kind = struct.unpack_from(">H", tag, 8)[0]
    n = (1, 3, 4, 5, 7)[kind]
    g, a, b, c, d, e, f = [v / 65_536 for v in struct.unpack_from(f">{n}l", tag, 12)] + [0.0] * (7 - n)
    if kind == 0:
        return x**g
    if kind in (1, 2):
        # Below -b/a the curve is the constant c, which type 1 does not have.
        return np.where(x >= -b / a, np.maximum(a * x + b, 0) ** g + c, c)
    return np.where(x >= d, np.maximum(a * x + b, 0) ** g + e, c * x + f)


def _of_chunks(chunks: tuple[PngChunk, ...]) -> _Colours | None:
    """What PNG chunks say; None if it is sRGB, nothing, or cannot be said so (PNG 3rd edition, 4.3)."""
    found = dict(chunks)
    x = np.linspace(0, 1, 4097)
    if (code := found.get(b"cICP")) is not None:
        primaries, transfer = code[0], code[1]
        if primaries not in _PRIMARIES or (transfer not in _GAMMAS and transfer not in _SRGB_CURVES):
            return None
        if primaries == 1 and transfer in _SRGB_CURVES:
            return None
        curve = _srgb_linear(x) if transfer in _SRGB_CURVES else x ** _GAMMAS[transfer]
        return _Colours((curve,) * 3, _to_d50(_PRIMARIES[primaries]))
    gamma = int.from_bytes(found.get(b"gAMA", b""), "big") / 100_000
    if b"sRGB" in found or (not gamma and b"cHRM" not in found):
        return None
    points = _PRIMARIES[1]
    if len(found.get(b"cHRM", b"")) == 32:
        points = tuple(value / 100_000 for value in struct.unpack(">8L", found[b"cHRM"]))
    plain = not gamma or abs(gamma - _SRGB_GAMMA) < _NEAR_GAMMA
    near = all(abs(a - b) < _NEAR_PRIMARY for a, b in zip(points, _PRIMARIES[1], strict=True))
    if (plain and near) or min(points[1::2]) <= 0:
        return None
    curve = _srgb_linear(x) if not gamma else x ** (1 / gamma)
    try:
        return _Colours((curve,) * 3, _to_d50(points))
    except np.linalg.LinAlgError:
        return None


def _srgb_linear(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)


def _to_d50(points: tuple[float, ...]) -> NDArray[np.float64]:
    """Matrix from linear RGB of these chromaticities to XYZ of ICC's white."""
    white, *primaries = [
        np.array([x / y, 1.0, (1 - x - y) / y]) for x, y in zip(points[::2], points[1::2], strict=True)
    ]
    columns = np.stack(primaries, axis=1)
    matrix = columns * np.linalg.solve(columns, white)
    adapted = np.linalg.inv(_BRADFORD) @ np.diag((_BRADFORD @ D50) / (_BRADFORD @ white)) @ _BRADFORD
    return np.asarray(adapted @ matrix)


def _written(colours: _Colours, gray: bool) -> bytes:
    """An ICC profile (version 2) of these colours, for gray or RGB pixels."""
    curve = np.round(np.clip(colours.curves[0], 0, 1) * 65_535).astype(">u2")
    curves = b"curv\0\0\0\0" + struct.pack(">L", len(curve)) + curve.tobytes()
    name = b"desc\0\0\0\0\0\0\0\x05PNG \0" + bytes(78 + 1)
    tags = {b"desc": name, b"cprt": b"text\0\0\0\0CC0\0", b"wtpt": _xyz(D50)}
    if gray:
        tags[b"kTRC"] = curves
    else:
        tags |= dict(zip((b"rXYZ", b"gXYZ", b"bXYZ"), map(_xyz, colours.matrix.T), strict=True))
        tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curves)
    at = 132 + 12 * len(tags)
    table, bodies, places = [], [], {}
    for key, body in tags.items():
        if body not in places:
            places[body] = at
            bodies.append(body + bytes(-len(body) % 4))
            at += len(bodies[-1])
        table.append(struct.pack(">4sLL", key, places[body], len(body)))
    head = struct.pack(
        ">L4xL4s4s4s12x4s4x4s4x4x8xL3l",
        at, 0x02400000, b"mntr", b"GRAY" if gray else b"RGB ", b"XYZ ", b"acsp", bytes(4), 0,
        *struct.unpack(">3l", _xyz(D50)[8:]),
    )  # fmt: skip
    return b"".join([head.ljust(128, b"\0"), struct.pack(">L", len(tags)), *table, *bodies])


def _xyz(values: NDArray[np.float64]) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3l", *(round(float(value) * 65_536) for value in values))
