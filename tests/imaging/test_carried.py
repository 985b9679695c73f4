"""What files hold beside pixels is carried over, or said to be lost."""

import io
import struct
import zlib
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from imaging.makers import chunk, png_with, saved, smooth
from PIL import Image, ImageCms, TiffImagePlugin

from enhance_cli.imaging import exif as exifs
from enhance_cli.imaging import ifd
from enhance_cli.imaging.files import ReadOptions, encode, losses, read
from enhance_cli.imaging.metadata import for_size
from enhance_cli.imaging.picture import Metadata, Picture

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
EXIF_FORMATS = ["PNG", "JPEG", "WEBP", "TIFF", "AVIF", "HEIF", "JXL"]


def needed(format):
    """Skip where the package of a format is not installed."""
    module = {"HEIF": "pillow_heif", "JXL": "pillow_jxl"}.get(format)
    if module:
        pytest.importorskip(module)


def text(words):
    return ifd.Entry(ifd.ASCII, len(words) + 1, words + b"\0")


def exif_of(main, details=None, order="<", gps=None):
    nested = {0x8769: details} if details else {}
    nested |= {0x8825: gps} if gps else {}
    pointers = {tag: ifd.longs(order, 0) for tag in nested}
    return exifs.block(exifs.Exif(order, main | pointers, nested))


def png_of(*chunks, pixels=None):
    """A PNG with some chunks, each given as its type and body."""
    return png_with(*(chunk(*one) for one in chunks), pixels=pixels)


# EXIF


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("words", ["Müller & Söhne".encode(), "Müller".encode("latin-1"), "日本".encode()])
@pytest.mark.parametrize("format", EXIF_FORMATS)
def test_exif_text_keeps_its_bytes(format, words, order):
    needed(format)
    block = exif_of({0x013B: text(words), 0x8298: text(b"(c)")}, {0x9286: text(words)}, order)
    back = read(encode(Picture(smooth(), metadata=Metadata(exif=block)), format)).metadata.exif
    found = exifs.parse(back)
    assert found.main[0x013B].raw == words + b"\0"
    assert found.nested[0x8769][0x9286].raw == words + b"\0"


def test_a_maker_note_stays_where_it_was():
    """It may hold offsets into the block."""
    note = ifd.Entry(ifd.UNDEFINED, 500, bytes(range(250)) * 2)
    block = exif_of(
        {0x010E: text(b"about " * 40), 0x010F: text(b"Maker")}, {0x927C: note, 0xA002: ifd.longs("<", 64)}
    )
    before = block.index(note.raw)
    picture = read(saved(Image.fromarray(smooth()), "JPEG", exif=block))
    longer = for_size(picture.metadata, 640, 480).exif
    assert longer.index(note.raw) == before
    shorter = exifs.block(exifs.parse(longer).without(0x010E))
    assert shorter.index(note.raw) == before
    assert exifs.parse(shorter).main[0x010F].raw == b"Maker\0"


def test_what_counts_pixels_in_exif_is_scaled():
    details = {
        0xA002: ifd.longs("<", 64),
        0xA003: ifd.longs("<", 48),
        0x9214: ifd.shorts("<", 10, 20, 8, 6),
        0xA214: ifd.shorts("<", 10, 20),
        0xA20E: ifd.rational("<", Fraction(1000, 3)),
    }
    picture = read(saved(Image.fromarray(smooth()), "JPEG", exif=exif_of({0x010F: text(b"M")}, details)))
    found = exifs.parse(for_size(picture.metadata, 256, 192).exif).nested[0x8769]
    assert ifd.numbers(found[0xA002], "<") + ifd.numbers(found[0xA003], "<") == (256, 192)
    assert ifd.numbers(found[0x9214], "<") == (40, 80, 32, 24)
    assert ifd.numbers(found[0xA214], "<") == (40, 80)
    assert ifd.fractions(found[0xA20E], "<") == (Fraction(4000, 3),)


def test_the_subject_turns_with_the_picture():
    block = exif_of({0x0112: ifd.shorts(">", 6)}, {0x9214: ifd.shorts(">", 10, 20, 8, 6)}, ">")
    picture = read(saved(Image.fromarray(smooth()), "JPEG", exif=block))
    assert (picture.width, picture.height) == (48, 64)
    # Turned clockwise, what was 20 from the top is 20 from the right.
    assert ifd.numbers(exifs.parse(picture.metadata.exif).nested[0x8769][0x9214], ">") == (27, 10, 6, 8)


def test_a_broken_tag_costs_itself_alone():
    block = bytearray(exif_of({0x010F: text(b"Maker of it"), 0x0110: text(b"Model of it")}))
    at = block.index(struct.pack("<HH", 0x0110, 2))
    block[at + 8 : at + 12] = b"\xff\xff\xff\x7f"
    picture = read(saved(Image.fromarray(smooth()), "JPEG", exif=bytes(block)))
    assert exifs.parse(picture.metadata.exif).main.keys() == {0x010F}
    assert picture.warnings == ("1 tags of the EXIF block are broken and were dropped",)


# XMP

PANORAMA = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description xmlns:GPano="http://ns.google.com/photos/1.0/panorama/"'
    b' GPano:ProjectionType="equirectangular" GPano:FullPanoWidthPixels="64" GPano:CroppedAreaTopPixels="12"'
    b' GPano:PoseHeadingDegrees="64"><GPano:CroppedAreaImageHeightPixels>48'
    b"</GPano:CroppedAreaImageHeightPixels></rdf:Description></x:xmpmeta>"
)


def test_sizes_of_a_panorama_are_scaled():
    metadata = replace(read(encode(Picture(smooth(), metadata=Metadata(xmp=PANORAMA)), "PNG")).metadata)
    packet = for_size(metadata, 256, 192).xmp
    assert b'FullPanoWidthPixels="256"' in packet
    assert b'CroppedAreaTopPixels="48"' in packet
    assert b"CroppedAreaImageHeightPixels>192<" in packet
    assert b'PoseHeadingDegrees="64"' in packet


MOTION = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF><rdf:Description'
    b' xmlns:Cam="http://ns.google.com/photos/1.0/camera/" xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/"'
    b' xmlns:Container="http://ns.google.com/photos/1.0/container/" dc:title="kept" Cam:MotionPhoto="1"'
    b' Cam:MotionPhotoPresentationTimestampUs="5" Cam:Other="kept too" hdrgm:Version="1.0">'
    b'<Container:Directory><rdf:Seq><rdf:li Item:Mime="video/mp4" Item:Length="4096"/></rdf:Seq>'
    b"</Container:Directory></rdf:Description></rdf:RDF></x:xmpmeta>"
)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_tags_of_data_that_are_not_carried_go_with_a_word(format):
    picture = read(encode(Picture(smooth(), metadata=Metadata(xmp=MOTION)), format))
    for gone in (b"MotionPhoto", b"Directory", b"video/mp4", b"hdrgm:Version"):
        assert gone not in picture.metadata.xmp
    for kept in (b'dc:title="kept"', b'Cam:Other="kept too"', b"</rdf:Description></rdf:RDF></x:xmpmeta>"):
        assert kept in picture.metadata.xmp
    words = " ".join(picture.warnings)
    assert "motion photo" in words and "gain map" in words and "removed" in words


def test_faces_in_a_turned_picture_are_named():
    regions = b'<x xmlns:mwg-rs="http://www.metadataworkinggroup.com/schemas/regions/" mwg-rs:Name="me"/>'
    turned = saved(Image.fromarray(smooth()), "PNG", exif=exif_of({0x0112: ifd.shorts("<", 6)}))
    at = turned.index(b"IDAT") - 4
    turned = turned[:at] + chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + regions) + turned[at:]
    assert any("regions" in line for line in read(turned).warnings)


# Density


def test_a_density_without_a_unit_stays_without_one():
    jpeg = bytearray(saved(Image.fromarray(smooth()), "JPEG"))
    assert jpeg[13] == 0 and read(bytes(jpeg)).metadata.dpi is None
    unitless = exif_of(
        {0x011A: ifd.rational("<", 1), 0x011B: ifd.rational("<", 1), 0x0128: ifd.shorts("<", 1)}
    )
    picture = read(saved(Image.fromarray(smooth()), "JPEG", exif=unitless))
    assert picture.metadata.dpi is None
    assert b"pHYs" not in encode(picture, "PNG")
    assert encode(picture, "JPEG")[13] == 0


@pytest.mark.parametrize("format", ["PNG", "JPEG", "TIFF"])
def test_pixels_that_are_not_square_stay_so(format):
    picture = read(png_of((b"pHYs", struct.pack(">IIB", 2, 1, 0))))
    assert picture.metadata.dpi is None
    back = read(encode(picture, format)).metadata
    assert (back.aspect, back.dpi) == ((2, 1), None)
    assert losses(picture, "WEBP") == ("WebP: no room for the shape of the pixels, which is dropped",)


def test_the_resolution_of_exif_alone_is_known():
    block = exif_of(
        {0x011A: ifd.rational("<", 200), 0x011B: ifd.rational("<", 100), 0x0128: ifd.shorts("<", 3)}
    )
    picture = read(saved(Image.fromarray(smooth()), "WEBP", lossless=True, exif=block))
    assert picture.metadata.dpi == pytest.approx((508, 254))
    assert losses(picture, "WEBP") == ()


# IPTC, comments, text


IPTC = b"\x1c\x01\x5a\0\x03\x1b%G" + b"\x1c\x02\x69\0\x08Headline" + b"\x1c\x02\x19\0\x04tree"


@pytest.mark.parametrize("format", ["JPEG", "TIFF", "PNG"])
def test_iptc_is_carried_over(format):
    picture = Picture(smooth(), metadata=Metadata(iptc=IPTC))
    assert read(encode(picture, format)).metadata.iptc == IPTC
    assert losses(picture, format) == ()
    assert losses(picture, "WEBP") == ("WebP: no room for the IPTC block, which is dropped",)


@pytest.mark.parametrize("comment", [b"plain", "grüß".encode(), "grüß".encode("latin-1")])
def test_comments_are_carried_over(comment):
    picture = read(saved(Image.fromarray(smooth()), "JPEG", comment=comment))
    assert picture.metadata.comment == comment
    assert read(encode(picture, "JPEG")).metadata.comment == comment
    with Image.open(io.BytesIO(encode(picture, "PNG"))) as png:
        assert png.text["Comment"].encode("utf-8" if comment[-2:-1] != b"\xfc" else "latin-1") == comment
    assert losses(picture, "TIFF") == ("TIFF: no room for the comment, which is dropped",)
    gif = read(saved(Image.fromarray(smooth()[..., 0]), "GIF", comment=comment))
    assert gif.metadata.comment == comment


TEXTS = (
    (b"tEXt", b"parameters\0a tree\nSteps: 40"),
    (b"zTXt", b"workflow\0\0" + zlib.compress(b"{}" * 99)),
    (b"iTXt", b"Title\0\0\0de\0Titel\0" + "grün".encode()),
)


def test_text_of_a_png_is_carried_over_or_named():
    picture = read(png_of(*TEXTS))
    assert picture.metadata.text == TEXTS
    assert read(encode(picture, "PNG")).metadata.text == TEXTS
    assert losses(picture, "PNG") == ()
    words = "no room for the text of a PNG, which is dropped: parameters, workflow, Title"
    assert losses(picture, "JPEG") == (f"JPEG: {words}",)


def test_profiles_that_imagemagick_writes_as_text_are_read():
    resource = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(IPTC)) + IPTC + b"\0" * (len(IPTC) % 2)
    exif = exif_of({0x010F: text(b"Maker")})
    chunks = [
        (
            b"zTXt",
            b"Raw profile type %s\0\0" % name
            + zlib.compress(b"\n%s\n%8d\n%s" % (name, len(body), body.hex().encode())),
        )
        for name, body in ((b"iptc", resource), (b"exif", exif))
    ]
    metadata = read(png_of(*chunks)).metadata
    assert metadata.iptc == IPTC
    assert exifs.parse(metadata.exif).main[0x010F].raw == b"Maker\0"
    assert metadata.text == ()


# Colours

GAMA = (b"gAMA", struct.pack(">I", 100_000))
SRGB_PRIMARIES = (31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)
SWAPPED = (31270, 32900, 30000, 60000, 64000, 33000, 15000, 6000)


def shown(picture):
    """The colours in sRGB, as a program that heeds ICC profiles shows them."""
    image = Image.fromarray(picture.pixels)
    if picture.metadata.icc is None:
        return picture.pixels.astype(int)
    profile = ImageCms.ImageCmsProfile(io.BytesIO(picture.metadata.icc))
    return np.asarray(ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"))).astype(int)


def test_gamma_and_primaries_of_a_png_are_carried_over_or_become_a_profile():
    chunks = (GAMA, (b"cHRM", struct.pack(">8I", *SWAPPED)))
    picture = read(png_of(*chunks))
    assert read(encode(picture, "PNG")).metadata.colour == chunks
    # Linear light with red and green the other way round.
    linear = smooth()[..., [1, 0, 2]] / 255
    right = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055) * 255
    for format in ("TIFF", "WEBP"):
        assert losses(picture, format) == ()
        assert np.abs(shown(read(encode(picture, format))) - right).max() <= 3, format
    assert losses(picture, "BMP") == (
        "BMP: no room for gamma and primaries, which are dropped: colours will change",
    )
    converted = read(png_of(*chunks), options=ReadOptions(icc="srgb"))
    assert converted.metadata.colour == ()
    assert np.abs(converted.pixels - right).max() <= 0.55


@pytest.mark.parametrize(
    "chunks",
    [
        [(b"sRGB", b"\0")],
        [(b"gAMA", struct.pack(">I", 45_455)), (b"cHRM", struct.pack(">8I", *SRGB_PRIMARIES))],
        [(b"cICP", b"\1\x0d\0\1")],
    ],
)
def test_srgb_said_in_any_way_is_no_loss(chunks):
    picture = read(png_of(*chunks))
    assert read(encode(picture, "PNG")).metadata.colour == tuple(chunks)
    assert losses(picture, "JPEG") == losses(picture, "BMP") == ()
    assert read(encode(picture, "JPEG")).metadata.icc is None


@pytest.mark.parametrize(("transfer", "name"), [(16, "PQ"), (18, "HLG")])
def test_hdr_is_kept_by_png_and_named(transfer, name):
    code = (b"cICP", bytes([9, transfer, 0, 1]))
    picture = read(png_of(code))
    assert picture.warnings == (
        f"HDR ({name}): restored as if it were an ordinary picture, so look at the result",
    )
    assert read(encode(picture, "PNG")).metadata.colour == (code,)
    assert "HDR" in losses(picture, "WEBP")[0]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_profile_can_be_converted(dtype):
    """Display P3 with 16 bits: a colour that sRGB holds comes out as Little CMS says."""
    wide = read(png_of((b"cICP", b"\x0c\x0d\0\1")))
    profile = read(encode(wide, "TIFF")).metadata.icc
    calm = smooth(dtype=dtype) // 2 + np.iinfo(dtype).max // 4
    picture = Picture(calm, metadata=Metadata(icc=profile))
    back = read(encode(picture, "PNG"), options=ReadOptions(icc="srgb"))
    assert back.metadata.icc is None and back.pixels.dtype == dtype
    eight = Picture(
        np.rint(calm / (np.iinfo(dtype).max / 255)).astype(np.uint8), metadata=Metadata(icc=profile)
    )
    scale = np.iinfo(dtype).max / 255
    # Little CMS rounds twice to 8 bits.
    off = np.abs(back.pixels / scale - shown(eight))
    assert off.max() <= 5 and off.mean() < 0.5
    same = read(encode(Picture(calm, metadata=Metadata(icc=SRGB)), "PNG"), options=ReadOptions(icc="srgb"))
    assert np.abs(same.pixels.astype(int) - calm).max() <= 0.005 * np.iinfo(dtype).max


def test_gray_profiles_can_be_converted():
    chunks = (GAMA,)
    gray = read(png_of(*chunks, pixels=smooth()[..., 0]), options=ReadOptions(icc="srgb"))
    linear = smooth(channels=1) / 255
    right = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055) * 255
    assert gray.gray and np.abs(gray.pixels - right).max() <= 0.55


# Left out on purpose


def test_metadata_can_be_left_out():
    gps = {1: text(b"N"), 2: ifd.rational("<", 48)}
    xmp = (
        b'<rdf:Description exif:GPSLatitude="48,51N" dc:title="t"><exif:GPSAltitude>3</exif:GPSAltitude>'
        b"</rdf:Description>"
    )
    block = exif_of({0x010F: text(b"Maker")}, {0xA002: ifd.longs("<", 64)}, gps=gps)
    metadata = Metadata(icc=SRGB, exif=block, xmp=xmp, dpi=(300.0, 300.0), iptc=IPTC, comment=b"c")
    data = encode(Picture(smooth(), metadata=metadata), "JPEG")
    assert 0x8825 in exifs.parse(read(data).metadata.exif).nested
    nowhere = read(data, options=ReadOptions(strip="gps")).metadata
    assert 0x8825 not in exifs.parse(nowhere.exif).main
    assert b"GPS" not in nowhere.xmp and b'dc:title="t"' in nowhere.xmp
    assert (nowhere.iptc, nowhere.comment) == (IPTC, b"c")
    bare = read(data, options=ReadOptions(strip="all")).metadata
    assert bare == Metadata(icc=SRGB, dpi=(300.0, 300.0))


def test_pillow_still_reads_exif_rationals():
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x829A] = TiffImagePlugin.IFDRational(1, 125)
    picture = read(saved(Image.fromarray(smooth()), "JPEG", exif=exif.tobytes()))
    back = Image.Exif()
    back.load(picture.metadata.exif)
    assert back.get_ifd(0x8769)[0x829A] == pytest.approx(1 / 125)
