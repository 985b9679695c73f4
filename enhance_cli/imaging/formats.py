"""The file formats: their names and suffixes, who reads and writes them, and what each of them can hold."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

from enhance_cli.errors import UsageError, WriteError
from enhance_cli.imaging.icc import hdr, profile_for
from enhance_cli.imaging.metadata import exif_dpi, with_fitting_profile
from enhance_cli.imaging.picture import Metadata, Picture, keyword_of


@dataclass(frozen=True)
class FileFormat:
    """What one format can hold, as this project writes it."""

    title: str
    suffixes: tuple[str, ...]
    """Lower case, with the dot; the first one is given to new files."""
    alpha: bool = False
    bits: int = 8
    """Largest depth per channel."""
    gray: bool = True
    lossless: bool = True
    """Whether pixels come back as they were, with the default options."""
    frames: bool = False
    """Whether it holds several frames or pages."""
    metadata: frozenset[str] = frozenset()
    """The fields of `Metadata` that it holds."""
    side: int | None = None
    """Largest width and height, None without a limit."""
    block: int = 1 << 31
    """EXIF, XMP, IPTC and comment have to be shorter than this."""
    package: str | None = None
    """The package without which it is neither read nor written, and the module it brings."""
    module: str | None = None

    @property
    def deep(self) -> bool:
        """Whether 16 bits stay 16 bits."""
        return self.bits == 16

    def room_for(self, metadata: Metadata) -> Metadata:
        """The part of `metadata` that this format holds."""
        kept = {name: getattr(metadata, name) for name in self.metadata}
        for name in _BLOCKS:
            if len(kept.get(name) or b"") >= self.block:
                kept[name] = None
        return Metadata(**kept, size=metadata.size)

    @property
    def missing(self) -> str | None:
        """What to say where the package that this format needs is not installed."""
        if self.module is None or find_spec(self.module) is not None:
            return None
        return f"{self.title} needs the package {self.package}: pip install 'enhance-cli[formats]'"


_NAMED = 5
_BLOCKS = ("exif", "xmp", "iptc", "comment")
_COMMON = frozenset({"icc", "exif", "xmp"})

_DENSITY = frozenset({"dpi", "aspect"})

# A JPEG marker holds 65533 bytes; EXIF and XMP have to fit into one with their own names.
# fmt: off
FORMATS = {
    "PNG": FileFormat("PNG", (".png", ".apng"), alpha=True, bits=16, frames=True,
                      metadata=_COMMON | _DENSITY | {"iptc", "comment", "text", "colour"}),
    "JPEG": FileFormat("JPEG", (".jpg", ".jpeg", ".jpe", ".jfif"), lossless=False,
                       metadata=_COMMON | _DENSITY | {"iptc", "comment"}, side=65_500, block=65_490),
    "WEBP": FileFormat("WebP", (".webp",), alpha=True, gray=False, frames=True,
                       metadata=_COMMON, side=16_383),
    "TIFF": FileFormat("TIFF", (".tif", ".tiff"), alpha=True, bits=16, frames=True,
                       metadata=_COMMON | _DENSITY | {"iptc"}),
    "BMP": FileFormat("BMP", (".bmp", ".dib"), metadata=frozenset({"dpi"})),
    "PPM": FileFormat("PNM", (".ppm", ".pgm", ".pnm", ".pbm", ".pam", ".pfm"), bits=16),
    "GIF": FileFormat("GIF", (".gif",), alpha=True, lossless=False, frames=True,
                      metadata=frozenset({"comment"}), side=65_535),
    "AVIF": FileFormat("AVIF", (".avif", ".avifs"), alpha=True, lossless=False, frames=True,
                       metadata=_COMMON, side=16_384),
    "HEIF": FileFormat("HEIC", (".heic", ".heif", ".hif"), alpha=True, lossless=False,
                       metadata=_COMMON, side=16_384, package="pillow-heif", module="pillow_heif"),
    "JXL": FileFormat("JPEG XL", (".jxl",), alpha=True, metadata=frozenset({"exif", "xmp"}),
                      package="pillow-jxl-plugin", module="pillow_jxl"),
}
# fmt: on

_SUFFIXES = {suffix: name for name, format in FORMATS.items() for suffix in format.suffixes}
# These name kinds of PNM that are read, not written.
_READ_ONLY = (".pbm", ".pam", ".pfm")

RAW_SUFFIXES = frozenset({".dng", ".cr2", ".cr3", ".nef", ".arw"})
"""Of a camera's raw data, which are read, never written."""

IMAGE_SUFFIXES = frozenset(_SUFFIXES) | RAW_SUFFIXES
"""Suffixes of picture files, lower case and with the dot, whether their package is installed or not."""

_TITLES = {
    "icc": "ICC profile",
    "exif": "EXIF",
    "xmp": "XMP",
    "dpi": "resolution in dpi",
    "aspect": "shape of the pixels",
    "iptc": "IPTC block",
    "comment": "comment",
}


def format_of(path: Path) -> str:
    """Format that a file of this name is written in: a key of `FORMATS`. Raises UsageError if unknown."""
    suffix = path.suffix.lower()
    if suffix not in _SUFFIXES or suffix in _READ_ONLY:
        known = " ".join(sorted(_SUFFIXES.keys() - set(_READ_ONLY)))
        raise UsageError(f"{path}: no format is known for the suffix {suffix!r}; use one of {known}")
    return _SUFFIXES[suffix]


def holds_16_bit(format: str) -> bool:
    """Whether `format` keeps 16 bits per channel; pictures are rounded to 8 bits where it does not."""
    return FORMATS[format].deep


def holds_alpha(format: str) -> bool:
    """Whether `format` keeps transparency; `encode` refuses pictures with alpha where it does not."""
    return FORMATS[format].alpha


def check_fits(format: str, width: int, height: int, *, alpha: bool) -> None:
    """WriteError if `format` has no transparency but the picture does, if a side is too long for it, or if
    the package that writes it is not installed.
    """
    target = FORMATS[format]
    if target.missing is not None:
        raise WriteError(target.missing)
    if alpha and not target.alpha:
        raise WriteError(f"{target.title} cannot hold transparency: write PNG, WebP or TIFF")
    if target.side is not None and max(width, height) > target.side:
        raise WriteError(
            f"{target.title} holds at most {target.side} pixels a side, not {width}x{height}: write PNG"
        )


def keeps_gray(picture: Picture, format: str) -> bool:
    """Whether `picture` is gray and `format` stores it so, not as RGB."""
    if not picture.gray or not FORMATS[format].gray:
        return False
    if picture.alpha is None:
        return True
    # No common reader takes 16-bit gray with alpha from a TIFF.
    return format in ("PNG", "JXL") or (format == "TIFF" and picture.full_scale == 255)


def kept_metadata(picture: Picture, format: str) -> Metadata:
    """What a file of `format` carries of the picture's metadata.

    Where the colours are told as only a PNG can, other formats get an ICC profile that says the same.
    """
    gray = keeps_gray(picture, format)
    fitting = with_fitting_profile(picture.metadata, 1 if gray else 3)
    target = FORMATS[format]
    if fitting.icc is None and "colour" not in target.metadata and "icc" in target.metadata:
        fitting = replace(fitting, icc=profile_for(fitting.colour, gray))
    return target.room_for(fitting)


def losses(picture: Picture, format: str) -> tuple[str, ...]:
    """What writing `picture` in `format` drops or changes without an error, one line each."""
    target = FORMATS[format]
    kept, metadata = kept_metadata(picture, format), picture.metadata
    lines = []
    if picture.full_scale > 255 and not target.deep:
        lines.append("16 bits are rounded to 8")
    if format == "GIF":
        lines.append("colours are reduced to 256")
        if picture.alpha is not None:
            lines.append("half-transparent pixels become clear or opaque")
    if picture.gray and not keeps_gray(picture, format):
        lines.append("gray becomes RGB")
    for what, title in _TITLES.items():
        value = getattr(metadata, what)
        if value is None or getattr(kept, what) == value:
            continue
        if what == "dpi" and kept.exif is not None and exif_dpi(kept.exif) == value:
            continue
        lines.append(f"no room for the {title}, which is dropped")
    if len(kept.text) < len(metadata.text):
        names = list(dict.fromkeys(keyword_of(body) for _, body in metadata.text))
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        lines.append(f"no room for the text of a PNG, which is dropped: {', '.join(names[:_NAMED])}{more}")
    if kept.colour != metadata.colour:
        plain = kept.icc is None and metadata.icc is None
        if hdr(metadata.colour):
            lines.append("no room for cICP (HDR), which is dropped: colours will look wrong; write PNG")
        elif plain and profile_for(metadata.colour, gray=False) is not None:
            lines.append("no room for gamma and primaries, which are dropped: colours will change")
    return tuple(f"{target.title}: {line}" for line in lines)
