"""exiftool, ImageMagick and Pillow read what is written; skipped where they are not installed."""

import io
import json
import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image, ImageCms

from enhance_cli.imaging import exif as exifs
from enhance_cli.imaging import ifd
from enhance_cli.imaging.files import encode
from enhance_cli.imaging.formats import FORMATS, kept_metadata
from enhance_cli.imaging.picture import Metadata, Picture

NAME = "Müller"
XMP = (
    b'<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""'
    b' xmlns:dc="http://purl.org/dc/elements/1.1/" dc:format="told"/></rdf:RDF></x:xmpmeta>'
    b'<?xpacket end="w"?>'
)


def complete():
    gps = {1: ifd.Entry(ifd.ASCII, 2, b"N\0"), 2: ifd.rational("<", 48)}
    details = {
        0x9003: ifd.Entry(ifd.ASCII, 20, b"2024:05:06 07:08:09\0"),
        0x9214: ifd.shorts("<", 1, 2, 3, 4),
    }
    main = {0x013B: ifd.Entry(ifd.ASCII, 8, NAME.encode() + b"\0")}
    main |= {0x8769: ifd.longs("<", 0), 0x8825: ifd.longs("<", 0)}
    return Metadata(
        icc=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(),
        exif=exifs.block(exifs.Exif("<", main, {0x8769: details, 0x8825: gps})),
        xmp=XMP,
        dpi=(300.0, 150.0),
        iptc=b"\x1c\x02\x69\0\x08Headline",
        comment="grüß".encode(),
        text=((b"tEXt", b"Title\0of it"),),
    )


def smooth(dtype):
    y, x = np.mgrid[:48, :64]
    return (np.stack([x / 64, y / 48, (x + y) / 112], axis=2) * np.iinfo(dtype).max).astype(dtype)


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """What exiftool says about a file of each format."""
    if shutil.which("exiftool") is None:
        pytest.skip("exiftool is not installed")
    folder = tmp_path_factory.mktemp("written")
    for format, one in FORMATS.items():
        if one.missing is None and format != "PPM":
            path = folder / f"{format}{one.suffixes[0]}"
            path.write_bytes(encode(Picture(smooth(np.uint8), metadata=complete()), format))
    run = subprocess.run(
        ["exiftool", "-j", "-charset", "exif=utf8", *sorted(map(str, folder.iterdir()))],
        capture_output=True,
        check=True,
    )
    return {item["FileName"].partition(".")[0]: item for item in json.loads(run.stdout)}


TAGS = {
    "icc": ("ProfileDescription", "sRGB built-in"),
    "exif": ("Artist", NAME),
    "xmp": ("Format", "told"),
    "iptc": ("Headline", "Headline"),
    "comment": ("Comment", "grüß"),
}


@pytest.mark.parametrize("format", [format for format in FORMATS if format != "PPM"])
def test_exiftool_reads_what_a_format_holds(told, format):
    if FORMATS[format].missing:
        pytest.skip(FORMATS[format].missing)
    item = told[format]
    assert "Error" not in item and "Warning" not in item
    # It tells the padded size of a HEIC and none of a JPEG XL in boxes.
    assert format in ("HEIF", "JXL") or (item["ImageWidth"], item["ImageHeight"]) == (64, 48)
    kept = kept_metadata(Picture(smooth(np.uint8), metadata=complete()), format)
    for field, (tag, value) in TAGS.items():
        assert (item.get(tag) == value) == (getattr(kept, field) is not None), tag
    if kept.exif is not None:
        assert item["DateTimeOriginal"] == "2024:05:06 07:08:09"
        assert item["SubjectArea"] == "1 2 3 4"
        assert item["GPSLatitude"].startswith("48 deg 0' 0.00\"")
    if kept.dpi is not None:
        assert (item.get("XResolution"), item.get("YResolution")) in ((300, 150), (None, None))
        assert (item.get("PixelsPerUnitX") or item.get("PixelsPerMeterX") or 11_811) == 11_811
    assert (item.get("Title") == "of it") == bool(kept.text)


@pytest.mark.parametrize("format", FORMATS)
def test_pillow_reads_what_a_format_holds(format):
    if FORMATS[format].missing:
        pytest.skip(FORMATS[format].missing)
    if format == "HEIF":
        pytest.importorskip("pillow_heif").register_heif_opener()
    if format == "JXL":
        pytest.importorskip("pillow_jxl")
    picture = Picture(smooth(np.uint8), metadata=complete())
    kept = kept_metadata(picture, format)
    with Image.open(io.BytesIO(encode(picture, format))) as image:
        assert image.size == (64, 48)
        far = np.abs(np.asarray(image.convert("RGB")).astype(int) - picture.pixels).mean()
        assert far == 0 if FORMATS[format].lossless else far < 8
        if kept.icc is not None:
            assert image.info["icc_profile"] == kept.icc
        if kept.exif is not None:
            tags = image.getexif()
            assert tags[0x013B].encode("latin-1", "surrogateescape").decode() == NAME
            assert tags.get_ifd(0x8769)[0x9003] == "2024:05:06 07:08:09"
        if kept.dpi is not None and "dpi" in image.info:
            assert image.info["dpi"] == pytest.approx((300, 150), abs=1)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("format", ["PNG", "TIFF", "PPM", "BMP", "WEBP"])
def test_imagemagick_sees_the_same_pixels(tmp_path, format, dtype):
    program = shutil.which("magick") or shutil.which("convert")
    if program is None:
        pytest.skip("ImageMagick is not installed")
    path = tmp_path / f"a{FORMATS[format].suffixes[0]}"
    pixels = smooth(dtype)
    path.write_bytes(encode(Picture(pixels, metadata=Metadata(dpi=(300.0, 300.0))), format))
    depth = 8 * pixels.itemsize if FORMATS[format].deep else 8
    raw = subprocess.run(
        [program, str(path), "-endian", "LSB", "-depth", str(depth), "rgb:-"], capture_output=True, check=True
    )
    want = pixels if depth == 8 * pixels.itemsize else np.rint(pixels / 257).astype(np.uint8)
    assert np.array_equal(np.frombuffer(raw.stdout, f"<u{depth // 8}").reshape(want.shape), want)
