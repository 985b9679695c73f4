"""What each file format keeps, measured by writing and reading: the tables of docs/formats.md.

python tests/imaging/fidelity.py    writes them anew
"""

import struct
from pathlib import Path

import numpy as np
from PIL import ImageCms

from enhance_cli.errors import WriteError
from enhance_cli.imaging import exif as exifs
from enhance_cli.imaging import ifd
from enhance_cli.imaging.files import encode, losses, read
from enhance_cli.imaging.formats import FORMATS
from enhance_cli.imaging.picture import Metadata, Picture

PAGE = Path(__file__).resolve().parents[2] / "docs" / "formats.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
KINDS = {"gray": (1, False), "gray + alpha": (1, True), "RGB": (3, False), "RGBA": (3, True)}
IPTC = b"\x1c\x02\x69\0\x08Headline"
EXIF = exifs.block(exifs.Exif("<", {0x013B: ifd.Entry(ifd.ASCII, 8, "Müller".encode() + b"\0")}, {}))
PIECES = {
    "ICC profile": Metadata(icc=SRGB),
    "EXIF": Metadata(exif=EXIF),
    "XMP": Metadata(xmp=b'<x:xmpmeta xmlns:x="adobe:ns:meta/"/>'),
    "IPTC": Metadata(iptc=IPTC),
    "comment": Metadata(comment="grüß".encode()),
    "PNG text": Metadata(text=((b"tEXt", b"parameters\0a tree"),)),
    "gamma, primaries": Metadata(colour=((b"gAMA", struct.pack(">I", 100_000)),)),
    "HDR (PQ, HLG)": Metadata(colour=((b"cICP", b"\x09\x10\0\1"),)),
    "dpi": Metadata(dpi=(300.0, 150.0)),
    "pixel shape": Metadata(aspect=(2, 1)),
}


def smooth(channels, dtype):
    y, x = np.mgrid[:48, :64]
    planes = [x / 63, y / 47, (x + y) / 110][:channels]
    return np.rint(np.stack(planes, axis=2) * np.iinfo(dtype).max).astype(dtype)


def pixels_cell(format, channels, alpha, dtype):
    """What becomes of pixels: kept, or how they differ."""
    mask = np.ascontiguousarray(smooth(1, dtype)[..., 0].T[:48, :48]) if alpha else None
    colour = smooth(channels, dtype)
    if mask is not None:
        mask = np.resize(mask, colour.shape[:2])
    picture = Picture(colour, mask)
    try:
        back = read(encode(picture, format))
    except WriteError:
        return "refused"
    said = losses(picture, format)
    words = []
    if back.pixels.dtype != dtype:
        assert any("rounded to 8" in line for line in said)
        words.append("8 bits")
        colour = np.rint(colour / 257).astype(np.uint8)
    if back.pixels.shape[2] != channels:
        assert any("gray becomes RGB" in line for line in said)
        words.append("as RGB")
        colour = colour.repeat(3, axis=2)
    off = np.abs(back.pixels.astype(int) - colour)
    if format == "GIF":
        assert any("256" in line for line in said)
        words.append("256 colours")
    elif off.max():
        assert not FORMATS[format].lossless
        words.append("lossy")
    else:
        assert words or not said
    return ", ".join(words) or "kept"


def metadata_cell(format, metadata):
    """What becomes of one piece of metadata; whatever is lost is said."""
    picture = Picture(smooth(3, np.uint8), metadata=metadata)
    back = read(encode(picture, format)).metadata
    said = set(losses(picture, format)) - set(losses(Picture(picture.pixels), format))
    if all(
        getattr(back, name) == getattr(metadata, name) for name in ("icc", "exif", "xmp", "iptc", "comment")
    ):
        same_density = (back.dpi is None) == (metadata.dpi is None) and back.aspect == metadata.aspect
        if (back.text, back.colour) == (metadata.text, metadata.colour) and same_density:
            assert not said
            return "kept"
    if metadata.colour and back.icc is not None:
        assert not said
        return "as ICC profile"
    assert len(said) == 1, (format, metadata, said)
    return "dropped, said"


def table(columns, rows):
    lines = ["| format | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    return "\n".join(lines + [f"| {title} | " + " | ".join(cells) + " |" for title, cells in rows])


def measured():
    parts = []
    for dtype, name in ((np.uint8, "8 bits per channel"), (np.uint16, "16 bits per channel")):
        rows = [
            (one.title, [pixels_cell(format, *kind, dtype) for kind in KINDS.values()])
            for format, one in FORMATS.items()
        ]
        parts.append(f"### {name}\n\n{table(KINDS, rows)}")
    rows = [
        (one.title, [metadata_cell(format, metadata) for metadata in PIECES.values()])
        for format, one in FORMATS.items()
    ]
    parts.append(f"### Metadata\n\n{table(PIECES, rows)}")
    rows = [
        (one.title, [" ".join(one.suffixes), "yes" if one.frames else "no", one.package or "none"])
        for one in FORMATS.values()
    ]
    parts.append("### Names\n\n" + table(["suffixes", "several frames or pages", "needs the package"], rows))
    return "\n\n".join(parts)


def page(text):
    """The page with its tables measured anew."""
    start, end = text.index(BEGIN) + len(BEGIN), text.index(END)
    return f"{text[:start]}\n\n{measured()}\n\n{text[end:]}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
