"""What travels with the pixels: ICC profile, EXIF, XMP, IPTC, text, resolution."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Literal

from enhance_cli.imaging import exif as exifs
from enhance_cli.imaging import xmp as packets
from enhance_cli.imaging.ifd import fractions, numbers
from enhance_cli.imaging.picture import Metadata

Strip = Literal["none", "gps", "all"]
"""What is left out on purpose: nothing, the position, or all but resolution and colour tags."""

_X_RESOLUTION, _Y_RESOLUTION, _RESOLUTION_UNIT = 0x011A, 0x011B, 0x0128
_UNITS_PER_INCH = {2: 1.0, 3: 2.54}
_TRANSFERS = {16: "PQ", 18: "HLG"}


def settled(found: Metadata, width: int, height: int) -> tuple[Metadata, int, list[str]]:
    """The metadata of a file of `width` x `height` stored pixels, made ready for the upright picture.

    Returns it with thumbnail and orientation gone and sizes corrected, the orientation 1..8 to apply, and
    warnings about what is broken or cannot be kept.
    """
    warnings: list[str] = []
    block, turn, dpi = None, 1, found.dpi
    if found.exif is not None:
        try:
            exif = exifs.parse(found.exif)
            turn = exif.orientation
            if exif.broken:
                warnings.append(f"{exif.broken} tags of the EXIF block are broken and were dropped")
            dpi = dpi or (None if found.aspect else _dpi(exif))
            block = exifs.block(exifs.upright(exif, width, height))
        except ValueError:
            warnings.append("the EXIF block is broken and was dropped")
    packet = found.xmp
    if packet is not None:
        turn = packets.orientation_of(packet) if found.exif is None else turn
        if turn != 1 and (b"mwg-rs:" in packet or b"MPReg:" in packet):
            warnings.append("regions (faces) named in the XMP were not turned with the picture")
        packet, companions = packets.without_companions(packets.upright(packet))
        warnings += [f"the {what} is not carried over; its tags were removed" for what in companions]
    size = (height, width) if turn >= 5 else (width, height)
    turned = replace(found, exif=block, xmp=packet, dpi=sane_dpi(dpi), size=size)
    if turn >= 5:
        dpi, aspect = turned.dpi, turned.aspect
        turned = replace(turned, dpi=dpi and dpi[::-1], aspect=aspect and aspect[::-1])
    transfer = next((_TRANSFERS.get(body[1]) for kind, body in found.colour if kind == b"cICP"), None)
    if transfer is not None:
        note = f"HDR ({transfer}): restored as if it were an ordinary picture, so look at the result"
        warnings.append(note)
    return for_size(turned, *size), turn, warnings


def for_size(metadata: Metadata, width: int, height: int) -> Metadata:
    """The same metadata for a picture of `width` x `height`: what counts pixels in EXIF and XMP follows."""
    exif, xmp = metadata.exif, metadata.xmp
    if exif is not None:
        exif = exifs.block(exifs.resized(exifs.parse(exif), width, height, metadata.size))
    if xmp is not None:
        xmp = packets.resized(xmp, width, height, metadata.size)
    return replace(metadata, exif=exif, xmp=xmp, size=(width, height))


def stripped(metadata: Metadata, strip: Strip) -> Metadata:
    """The same metadata without what `strip` names; ICC profile and other colour tags always stay."""
    if strip == "none":
        return metadata
    if strip == "all":
        kept = {name: getattr(metadata, name) for name in ("icc", "colour", "dpi", "aspect", "size")}
        return Metadata(**kept)
    exif, xmp = metadata.exif, metadata.xmp
    return replace(
        metadata,
        exif=None if exif is None else exifs.block(exifs.parse(exif).without(exifs.GPS)),
        xmp=None if xmp is None else packets.without_gps(xmp),
        text=tuple(chunk for chunk in metadata.text if not chunk[1].lower().startswith(b"exif:gps")),
    )


def profile_fits(icc: bytes, channels: int) -> bool:
    """Whether the colour space in an ICC profile's header is that of gray (1) or RGB (3) pixels."""
    return icc[16:20] == (b"GRAY" if channels == 1 else b"RGB ")


def with_fitting_profile(metadata: Metadata, channels: int) -> Metadata:
    """The same metadata, without an ICC profile that is meant for other pixels."""
    if metadata.icc is None or profile_fits(metadata.icc, channels):
        return metadata
    return replace(metadata, icc=None)


def exif_dpi(exif: bytes) -> tuple[float, float] | None:
    """Dots per inch that an EXIF block tells."""
    return sane_dpi(_dpi(exifs.parse(exif)))


def sane_dpi(dpi: tuple[float, float] | None) -> tuple[float, float] | None:
    """Dots per inch, unless they make no sense (JPEG holds whole numbers up to 65535)."""
    if dpi is None or not all(math.isfinite(value) and 1 <= value <= 65_535 for value in dpi):
        return None
    return dpi


def _dpi(exif: exifs.Exif) -> tuple[float, float] | None:
    unit = numbers(exif.main.get(_RESOLUTION_UNIT), exif.order) or (2,)
    x = fractions(exif.main.get(_X_RESOLUTION), exif.order)
    y = fractions(exif.main.get(_Y_RESOLUTION), exif.order) or x
    if not x or unit[0] not in _UNITS_PER_INCH:
        return None
    return float(x[0]) * _UNITS_PER_INCH[unit[0]], float(y[0]) * _UNITS_PER_INCH[unit[0]]
