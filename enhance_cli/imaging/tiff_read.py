"""Reading of TIFF files (TIFF 6.0, BigTIFF): pages, planes, deep and floating-point samples, Lab.

Pages are found by their directories alone. The decoders are given a file of one page's pixels, so that
neither a hundred thousand pages nor tags of any kind cost more than their own bytes.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from enhance_cli.errors import ReadError
from enhance_cli.imaging import exif, ifd
from enhance_cli.imaging.colour import lab_to_srgb
from enhance_cli.imaging.ifd import Directory, Layout, Order, numbers, shorts
from enhance_cli.imaging.iptc import records_of
from enhance_cli.imaging.limits import Limits
from enhance_cli.imaging.picture import Metadata
from enhance_cli.imaging.samples import (
    Decoded,
    Samples,
    check_size,
    from_pillow,
    stretched,
    through_opencv,
)

_SUBFILE, _OLD_SUBFILE, _WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 254, 255, 256, 257, 258, 259, 262
_STRIPS, _SAMPLES, _STRIP_BYTES, _PLANAR, _TILES, _TILE_BYTES = 273, 277, 279, 284, 324, 325
_EXTRA, _FORMAT, _XMP, _IPTC, _PHOTOSHOP, _ICC, _ORIENTATION = 338, 339, 700, 33723, 34377, 34675, 274
_FLOAT, _OLD_JPEG, _LAB_SPACES = 3, 6, (8, 9)
_CONVERT_ADVICE = "convert it to 16 bits per channel"
# All that a decoder needs to know of a page.
_PIXEL_TAGS = exif.STRUCTURAL - {_SUBFILE, _OLD_SUBFILE, 330, _XMP, _IPTC, _PHOTOSHOP, _ICC}


@dataclass(frozen=True)
class _Page:
    directory: Directory
    order: Order
    data: bytes
    """The whole file."""

    def tag(self, tag: int, default: int) -> int:
        return (numbers(self.directory.get(tag), self.order) or (default,))[0]

    @property
    def size(self) -> tuple[int, int]:
        """(width, height)."""
        return self.tag(_WIDTH, 0), self.tag(_HEIGHT, 0)

    def file(self, plane: int | None = None, photometric: int | None = None) -> bytes:
        """A TIFF of this page's pixels alone, or of one of its planes, perhaps said to be of other colours.

        Raises ReadError where strips or tiles lie beyond the end of the file.
        """
        tags = {tag: entry for tag, entry in self.directory.items() if tag in _PIXEL_TAGS}
        at, sizes = (_TILES, _TILE_BYTES) if _TILES in tags else (_STRIPS, _STRIP_BYTES)
        offsets, lengths = (numbers(tags.get(tag), self.order) for tag in (at, sizes))
        if len(offsets) != len(lengths) or not offsets:
            raise ReadError("the TIFF does not say where its pixels are; get a complete copy")
        if plane is not None:
            n = len(offsets) // self.tag(_SAMPLES, 1)
            offsets, lengths = offsets[plane * n : (plane + 1) * n], lengths[plane * n : (plane + 1) * n]
            tags |= {tag: shorts(self.order, 1) for tag in (_SAMPLES, _PLANAR, _PHOTOMETRIC)}
            tags |= {tag: shorts(self.order, self.tag(tag, 1)) for tag in (_BITS, _FORMAT)}
            tags.pop(_EXTRA, None)
        if any(start + length > len(self.data) for start, length in zip(offsets, lengths, strict=True)):
            raise ReadError("the TIFF is cut off; get a complete copy")
        if sum(lengths) > len(self.data):
            raise ReadError("the TIFF's strips overlap; get a sound copy")
        if photometric is not None:
            tags[_PHOTOMETRIC] = shorts(self.order, photometric)
        strips = [self.data[a : a + n] for a, n in zip(offsets, lengths, strict=True)]
        return ifd.head_of(self.order) + ifd.page_of(self.order, tags, {}, strips, places=(at, sizes))


def frames(data: bytes, limits: Limits) -> Iterator[Decoded]:
    """The pages of full resolution, in the order of the file."""
    try:
        layout, first = ifd.layout_of(data)
    except ValueError as error:
        raise ReadError(f"{error}; get a complete copy") from error
    offsets, notes = _full_pages(data, layout, first, limits)
    for offset in offsets:
        directory, _ = ifd.parsed(data, layout, offset)
        page = _Page(directory, layout.order, data)
        check_size(*page.size, limits)
        metadata, dropped = _metadata(data, layout, offset, directory, limits)
        samples = _samples(page, metadata.icc)
        yield Decoded(samples, metadata, "TIFF", (*notes, *dropped), count=len(offsets))
        notes = ()


def _full_pages(data: bytes, layout: Layout, first: int, limits: Limits) -> tuple[list[int], tuple[str, ...]]:
    """Offsets of the pages that are neither reduced copies nor masks; of all, if there are no others."""
    every, full, all_tags = [], [], 0
    wanted = frozenset({_SUBFILE, _OLD_SUBFILE, _WIDTH, _HEIGHT})
    for offset in ifd.directories(data, layout, first):
        every.append(offset)
        limits.check("frames", len(every), f"the TIFF holds more than {limits.frames} pages")
        all_tags += ifd.table_of(data, layout, offset)[1]
        limits.check("blocks", all_tags, f"the TIFF has more than {limits.blocks} tags")
        tags, _ = ifd.parsed(data, layout, offset, wanted)
        kind = numbers(tags.get(_SUBFILE), layout.order) or (0,)
        old = numbers(tags.get(_OLD_SUBFILE), layout.order) or (0,)
        if not kind[0] & 5 and old[0] != 2:
            full.append(offset)
    if not every:
        raise ReadError("the TIFF holds no page; get a complete copy")
    if full and full[0] != every[0]:
        number = every.index(full[0]) + 1
        return full, (f"page 1 of the TIFF is a reduced copy or a mask: page {number} was taken",)
    return full or every, ()


def _samples(page: _Page, icc: bytes | None) -> Samples:
    bits, kind, n = page.tag(_BITS, 1), page.tag(_FORMAT, 1), page.tag(_SAMPLES, 1)
    photometric = page.tag(_PHOTOMETRIC, 1)
    if photometric in _LAB_SPACES and n >= 3 and bits in (8, 16):
        return _lab(page, bits, photometric)
    if kind == _FLOAT or bits == 32:
        return _wide(page, kind, bits)
    if kind not in (1, 4) or bits > 16:
        raise ReadError(f"a TIFF of signed samples, or of {bits} bits; {_CONVERT_ADVICE}")
    if page.tag(_PLANAR, 1) == 2 and n > 1 and bits == 16:
        planes = [_gray(page.file(plane), bits, 1) for plane in range(n)]
        return _with_alpha(np.concatenate(planes, axis=2), page)
    data = page.file()
    with _opened(data) as image:
        # Pillow keeps 8 bits of deep colour, but it notices files that are cut off, which OpenCV fills up.
        image.load()
        if image.mode.startswith("I;16"):
            return Samples(_gray(data, bits, photometric))
        if bits <= 8 or image.mode == "CMYK":
            samples = from_pillow(image, icc)
            notes = ("16-bit CMYK was read with 8 bits",) if bits > 8 else ()
            return replace(samples, warnings=samples.warnings + notes)
    pixels = through_opencv(data)
    if pixels is None or pixels.dtype != np.uint16:
        raise ReadError(f"the TIFF's samples are broken or of a rare kind; {_CONVERT_ADVICE}")
    return _with_alpha(pixels, page)


def _opened(data: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(data), formats=("TIFF",))
    except OSError as error:
        raise ReadError(
            f"a broken TIFF, or one whose samples are not gray, RGB, CMYK or Lab; {_CONVERT_ADVICE}"
        ) from error


def _gray(data: bytes, bits: int, photometric: int) -> NDArray[np.uint16]:
    """(H, W, 1) from a TIFF of one deep channel."""
    with _opened(data) as image:
        gray = stretched(np.asarray(image).astype(np.uint16), 2**bits - 1)[..., None]
    return 65_535 - gray if photometric == 0 else gray


def _with_alpha(pixels: NDArray[np.uint16], page: _Page) -> Samples:
    """RGB or gray; a further channel is premultiplied alpha (1), alpha (2), or unknown."""
    extra = page.tag(_EXTRA, 0)
    n_colours = 3 if pixels.shape[2] >= 3 else 1
    colour = pixels[..., :n_colours]
    if pixels.shape[2] == n_colours or extra not in (1, 2):
        return Samples(colour.copy())
    alpha = pixels[..., n_colours]
    if extra == 1:
        straight = colour.astype(np.float32) * 65_535 / np.maximum(alpha, 1)[..., None] + 0.5
        colour = np.minimum(straight, 65_535).astype(np.uint16)
    return Samples(colour.copy(), alpha.copy())


def _wide(page: _Page, kind: int, bits: int) -> Samples:
    """Floats of 0..1, or 32-bit whole numbers, in 16 bits."""
    pixels = through_opencv(page.file()) if page.tag(_PLANAR, 1) == 1 else None
    if pixels is None or kind not in (1, _FLOAT) or pixels.dtype.kind not in "fu":
        raise ReadError(f"a TIFF of {bits}-bit samples of a rare kind; {_CONVERT_ADVICE}")
    if pixels.dtype.kind == "u":
        deep = (pixels >> np.uint32(16)).astype(np.uint16)
        return replace(_with_alpha(deep, page), warnings=("32 bits were cut to 16",))
    if not np.isfinite(pixels).all():
        raise ReadError("a TIFF with samples that are no numbers (NaN or infinite); mend it first")
    low, high = float(pixels.min()), float(pixels.max())
    if high > 2 or low < -1:
        raise ReadError(
            f"a TIFF of floating-point samples from {low:g} to {high:g}; bring black to 0 and white to 1"
        )
    deep = (np.clip(pixels, 0, 1) * 65_535 + 0.5).astype(np.uint16)
    note = "floating-point samples were read as 16 bits, 1 is white"
    if low < 0 or high > 1:
        note += f", and values outside 0..1 (from {low:g} to {high:g}) were cut off"
    return replace(_with_alpha(deep, page), warnings=(note,))


def _lab(page: _Page, bits: int, space: int) -> Samples:
    """CIE L*a*b* to sRGB."""
    if page.tag(_PLANAR, 1) == 2:
        raise ReadError("a Lab TIFF with one plane per channel; convert it to RGB")
    n = page.tag(_SAMPLES, 3)
    pixels = through_opencv(page.file(photometric=2))
    if pixels is None or pixels.shape[2] < 3:
        raise ReadError("a broken Lab TIFF, or one of a rare kind; convert it to RGB")
    stored = pixels[..., 1:3].astype(np.float32)
    half, step = (128, 1) if bits == 8 else (32_768, 256)
    # CIELab stores a* and b* as signed numbers, ICCLab with an offset.
    signed = np.where(stored >= half, stored - 2 * half, stored) / step if space == 8 else stored / step - 128
    light = pixels[..., :1].astype(np.float32) * (100 / (2**bits - 1))
    rgb = lab_to_srgb(np.concatenate([light, signed], axis=2).astype(np.float32))
    full = 255 if bits == 8 else 65_535
    colour = np.clip(rgb * full + 0.5, 0, full).astype(pixels.dtype)
    alpha = pixels[..., 3].copy() if n == 4 and page.tag(_EXTRA, 0) == 2 else None
    return Samples(colour, alpha, ("Lab was converted to sRGB",), managed=True)


def _metadata(
    data: bytes, layout: Layout, offset: int, directory: Directory, limits: Limits
) -> tuple[Metadata, list[str]]:
    warnings = []

    def raw(tag: int, title: str) -> bytes | None:
        value = directory[tag].raw if tag in directory else None
        if value is not None and len(value) > limits.profile_bytes:
            warnings.append(f"the {title} is larger than --limit profile_bytes and was dropped")
            return None
        return value or None

    tags = exif.of_directory(data, layout, offset)
    unit = (numbers(tags.main.get(296), tags.order) or (2,))[0]
    x, y = (ifd.fractions(tags.main.get(tag), tags.order)[:1] for tag in (282, 283))
    uneven = unit == 1 and x and y and x != y and min(x[0], y[0]) >= 1
    # The resolution is carried apart, and every writer states it.
    block = exif.block(tags.without(282, 283, 296))
    inch = 2.54 if unit == 3 else 1.0
    return (
        Metadata(
            icc=raw(_ICC, "ICC profile"),
            exif=block,
            xmp=raw(_XMP, "XMP"),
            dpi=(float(x[0]) * inch, float(y[0]) * inch) if x and y and unit in (2, 3) else None,
            aspect=(round(x[0]), round(y[0])) if uneven else None,
            iptc=raw(_IPTC, "IPTC block") or records_of(raw(_PHOTOSHOP, "Photoshop block") or b""),
        ),
        warnings,
    )
