"""Which file formats are written, and what each of them can hold."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from enhance_cli.errors import UsageError, WriteError
from enhance_cli.imaging.metadata import with_fitting_profile
from enhance_cli.imaging.picture import Metadata, Picture


@dataclass(frozen=True)
class FileFormat:
    """What one format can hold; `side` is its largest width and height, None without a limit."""

    title: str
    alpha: bool = False
    deep: bool = False
    profile: bool = True
    exif: bool = True
    dpi: bool = True
    side: int | None = None
    block: int = 1 << 31
    """EXIF and XMP have to be shorter than this."""

    def room_for(self, metadata: Metadata) -> Metadata:
        """The part of `metadata` that this format holds."""
        return Metadata(
            icc=metadata.icc if self.profile else None,
            exif=metadata.exif if self.exif and len(metadata.exif or b"") < self.block else None,
            xmp=metadata.xmp if self.exif and len(metadata.xmp or b"") < self.block else None,
            dpi=metadata.dpi if self.dpi else None,
        )


# A JPEG marker holds 65533 bytes; EXIF and XMP have to fit into one with their own names.
FORMATS = {
    "PNG": FileFormat("PNG", alpha=True, deep=True),
    "JPEG": FileFormat("JPEG", side=65_500, block=65_500),
    "WEBP": FileFormat("WebP", alpha=True, dpi=False, side=16_383),
    "TIFF": FileFormat("TIFF", alpha=True, deep=True),
    "BMP": FileFormat("BMP", profile=False, exif=False),
    "PPM": FileFormat("PNM", deep=True, profile=False, exif=False, dpi=False),
}

_SUFFIXES = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".bmp": "BMP",
    ".pgm": "PPM",
    ".ppm": "PPM",
    ".pnm": "PPM",
}

IMAGE_SUFFIXES = frozenset(_SUFFIXES)
"""Suffixes of picture files, lower case and with the dot."""


def format_of(path: Path) -> str:
    """Format that a file of this name is written in: a key of `FORMATS`. Raises UsageError if unknown."""
    suffix = path.suffix.lower()
    if suffix not in _SUFFIXES:
        known = " ".join(sorted(_SUFFIXES))
        raise UsageError(f"{path}: no format is known for the suffix {suffix!r}; use one of {known}")
    return _SUFFIXES[suffix]


def holds_16_bit(format: str) -> bool:
    """Whether `format` keeps 16 bits per channel; pictures are rounded to 8 bits where it does not."""
    return FORMATS[format].deep


def holds_alpha(format: str) -> bool:
    """Whether `format` keeps transparency; `encode` refuses pictures with alpha where it does not."""
    return FORMATS[format].alpha


def check_fits(format: str, width: int, height: int, *, alpha: bool) -> None:
    """WriteError if `format` has no transparency but the picture does, or if a side is too long for it."""
    target = FORMATS[format]
    if alpha and not target.alpha:
        raise WriteError(f"{target.title} cannot hold transparency: write PNG, WebP or TIFF")
    if target.side is not None and max(width, height) > target.side:
        raise WriteError(
            f"{target.title} holds at most {target.side} pixels a side, not {width}x{height}: write PNG"
        )


def keeps_gray(picture: Picture, format: str) -> bool:
    """Whether `picture` is gray and `format` stores it so, not as RGB."""
    # No common reader takes 16-bit gray with alpha from a TIFF.
    deep_alpha = picture.alpha is not None and picture.full_scale > 255
    return picture.gray and format != "WEBP" and not (format == "TIFF" and deep_alpha)


def kept_metadata(picture: Picture, format: str) -> Metadata:
    """The part of the picture's metadata that a file of `format` carries."""
    channels = 1 if keeps_gray(picture, format) else 3
    return FORMATS[format].room_for(with_fitting_profile(picture.metadata, channels))


def losses(picture: Picture, format: str) -> tuple[str, ...]:
    """What writing `picture` in `format` drops or changes without an error, one line each."""
    target = FORMATS[format]
    kept = kept_metadata(picture, format)
    lines = []
    if picture.full_scale > 255 and not target.deep:
        lines.append("16 bits are rounded to 8")
    if picture.gray and not keeps_gray(picture, format):
        lines.append("gray becomes RGB")
    for what, title in {
        "icc": "ICC profile",
        "exif": "EXIF",
        "xmp": "XMP",
        "dpi": "resolution in dpi",
    }.items():
        if getattr(kept, what) != getattr(picture.metadata, what):
            lines.append(f"no room for the {title}, which is dropped")
    return tuple(f"{target.title}: {line}" for line in lines)
