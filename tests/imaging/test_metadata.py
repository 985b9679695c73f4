import io
import re
import struct

import numpy as np
import pytest
import tifffile
from imaging.makers import saved, smooth
from PIL import Image, ImageCms, TiffImagePlugin

from enhance_cli.imaging.files import (
    encode,
    losses,
    read,
)
from enhance_cli.imaging.metadata import for_size, profile_fits, with_fitting_profile
from enhance_cli.imaging.picture import Metadata, Picture

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def exif_block(**details):
    exif = Image.Exif()
    exif.update({0x010F: "Maker", 0x0110: "Model X", 0x8298: "(c) me", 0x0112: details.pop("orientation", 1)})
    exif.get_ifd(0x8769).update(
        {0xA002: 23, 0xA003: 37, 0x9003: "2024:05:06 07:08:09", 0x829A: TiffImagePlugin.IFDRational(1, 125)}
    )
    exif.get_ifd(0x8825).update({1: "N", 2: (48.0, 51.0, 30.0)})
    return exif


XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6" exif:PixelXDimension="23">'
    b"<exif:PixelYDimension>37</exif:PixelYDimension></rdf:Description></x:xmpmeta>"
)


@pytest.fixture
def rich():
    metadata = Metadata(icc=SRGB, exif=exif_block().tobytes(), xmp=XMP, dpi=(300.0, 150.0))
    return Picture(smooth(37, 23), metadata=metadata)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_profile_exif_and_xmp_survive(rich, format, dtype):
    picture = Picture(rich.pixels.astype(dtype), metadata=rich.metadata)
    back = read(encode(picture, format)).metadata
    assert back.icc == SRGB
    assert back.xmp == XMP.replace(b'Orientation="6"', b'Orientation="1"')
    exif = Image.Exif()
    exif.load(back.exif)
    assert (exif[0x010F], exif[0x0110], exif[0x8298]) == ("Maker", "Model X", "(c) me")
    assert exif.get_ifd(0x8769)[0x9003] == "2024:05:06 07:08:09"
    assert float(exif.get_ifd(0x8769)[0x829A]) == pytest.approx(1 / 125)
    assert exif.get_ifd(0x8825)[2] == (48.0, 51.0, 30.0)
    if format != "WEBP":
        assert back.dpi == pytest.approx((300, 150), abs=0.02)


def test_bmp_holds_the_resolution_alone(rich):
    back = read(encode(rich, "BMP")).metadata
    assert back.dpi == pytest.approx((300, 150), abs=0.02)
    assert back == Metadata(dpi=back.dpi)
    assert [line for line in losses(rich, "BMP") if "dpi" in line] == []
    assert len(losses(rich, "BMP")) == 3


def test_losses_name_what_is_dropped(rich):
    assert losses(rich, "PNG") == losses(rich, "TIFF") == losses(rich, "JPEG") == ()
    assert losses(rich, "PPM")[0] == "PNM: no room for the ICC profile, which is dropped"
    assert losses(Picture(smooth(dtype=np.uint16)), "JPEG") == ("JPEG: 16 bits are rounded to 8",)


@pytest.mark.parametrize(("format", "dtype"), [("WEBP", np.uint8), ("TIFF", np.uint16)])
def test_a_gray_profile_lost_with_the_gray_is_named(format, dtype):
    gray_profile = SRGB[:16] + b"GRAY" + SRGB[20:]
    alpha = np.full((48, 64), 9, dtype)
    picture = Picture(smooth(channels=1, dtype=dtype), alpha, metadata=Metadata(icc=gray_profile))
    assert read(encode(picture, format)).metadata.icc is None
    assert [line.split(": ")[1] for line in losses(picture, format)] == [
        "gray becomes RGB",
        "no room for the ICC profile, which is dropped",
    ]


def test_exif_too_long_for_a_jpeg_is_dropped_with_a_word():
    exif = exif_block()
    exif[0x010E] = "long " * 20_000
    picture = Picture(smooth(), metadata=Metadata(exif=exif.tobytes()))
    assert read(encode(picture, "JPEG")).metadata.exif is None
    assert losses(picture, "JPEG") == ("JPEG: no room for the EXIF, which is dropped",)


CORNERS = np.zeros((16, 24, 3), np.uint8)
CORNERS[:8, :8], CORNERS[:8, 16:], CORNERS[8:, :8] = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def as_stored(upright, orientation):
    """The pixels that a camera stores for a picture, so that the orientation makes it upright."""
    undo = {
        1: lambda x: x,
        2: np.fliplr,
        3: lambda x: np.rot90(x, 2),
        4: np.flipud,
        5: lambda x: x.swapaxes(0, 1),
        6: lambda x: np.rot90(x, 1),
        7: lambda x: np.rot90(x, 2).swapaxes(0, 1),
        8: lambda x: np.rot90(x, -1),
    }
    return np.ascontiguousarray(undo[orientation](upright))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF", "JPEG"])
def test_orientation_is_applied_and_reset(format, orientation):
    image = Image.fromarray(as_stored(CORNERS, orientation))
    how = (
        {"lossless": True}
        if format == "WEBP"
        else {"quality": 100, "subsampling": 0}
        if format == "JPEG"
        else {}
    )
    picture = read(saved(image, format, exif=exif_block(orientation=orientation).tobytes(), **how))
    assert np.abs(picture.pixels.astype(int) - CORNERS).max() <= (3 if format == "JPEG" else 0)
    exif = Image.Exif()
    exif.load(picture.metadata.exif)
    assert exif[0x0112] == 1
    assert (exif.get_ifd(0x8769)[0xA002], exif.get_ifd(0x8769)[0xA003]) == (24, 16)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("channels", [1, 3])
def test_orientation_of_16_bit_tiff(channels, orientation):
    upright = CORNERS.astype(np.uint16)[..., :channels] * 257
    stored = as_stored(upright, orientation)
    buffer = io.BytesIO()
    kind = "rgb" if channels == 3 else "minisblack"
    stored = stored if channels == 3 else stored[..., 0]
    tifffile.imwrite(buffer, stored, photometric=kind, extratags=[(274, "H", 1, orientation, True)])
    assert np.array_equal(read(buffer.getvalue()).pixels, upright)


def test_orientation_turns_alpha_too():
    rgba = np.dstack([CORNERS, CORNERS[..., 1]])
    picture = read(saved(Image.fromarray(as_stored(rgba, 6)), exif=exif_block(orientation=6)))
    assert np.array_equal(picture.alpha, CORNERS[..., 1])


def test_the_thumbnail_is_dropped():
    tiff = b"II*\0\x08\0\0\0"
    ifd0 = struct.pack("<HHHII", 1, 0x0112, 3, 1, 1) + struct.pack("<I", 26)
    ifd1 = (
        struct.pack("<H", 2) + struct.pack("<HHII", 0x0201, 4, 1, 56) + struct.pack("<HHII", 0x0202, 4, 1, 9)
    )
    exif = b"Exif\0\0" + tiff + ifd0 + ifd1 + struct.pack("<I", 0) + b"THUMBNAIL"
    data = saved(Image.fromarray(CORNERS), "JPEG", exif=exif)
    assert b"THUMBNAIL" in data
    assert b"THUMBNAIL" not in encode(read(data), "JPEG")


def test_broken_exif_costs_a_warning_not_the_picture():
    data = saved(Image.fromarray(CORNERS), "PNG", exif=b"Exif\0\0II*\0\x08\0\0\0\x05\0garbage")
    picture = read(data)
    assert np.array_equal(picture.pixels, CORNERS)


def test_nonsense_in_the_orientation_tag_is_ignored():
    exif = exif_block(orientation=77)
    assert np.array_equal(read(saved(Image.fromarray(CORNERS), exif=exif)).pixels, CORNERS)


def test_a_profile_for_other_pixels_is_dropped_with_a_warning():
    cmyk = SRGB[:16] + b"CMYK" + SRGB[20:]
    picture = read(saved(Image.fromarray(CORNERS), icc_profile=cmyk))
    assert picture.metadata.icc is None
    assert picture.warnings == ("the ICC profile does not fit the pixels and was dropped",)


def test_encode_drops_a_profile_that_no_longer_fits(rich):
    gray = Picture(rich.pixels[..., :1], metadata=rich.metadata)
    assert read(encode(gray, "PNG")).metadata.icc is None


def test_a_tiffs_own_layout_does_not_travel_into_exif():
    exif = read(saved(Image.fromarray(CORNERS), "TIFF", compression="tiff_lzw")).metadata.exif
    assert exif is None


def exif_tags(exif):
    """IFD0 as Pillow reads it, its nested directories as dicts."""
    block = Image.Exif()
    block.load(exif)
    return {tag: block.get_ifd(tag) if tag in (0x8769, 0x8825) else block[tag] for tag in block}


def block(**details):
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    exif.get_ifd(0x8769).update(details.get("details", {}))
    return exif.tobytes()


def test_sizes_in_exif_follow_the_picture():
    metadata = Metadata(exif=block(details={0xA002: 10, 0xA003: 20, 0x9003: "2024:01:02 03:04:05"}))
    tags = exif_tags(for_size(metadata, 40, 80).exif)
    assert (tags[0x8769][0xA002], tags[0x8769][0xA003]) == (40, 80)
    assert tags[0x8769][0x9003] == "2024:01:02 03:04:05"
    assert tags[0x010F] == "Maker"


def test_exif_without_sizes_is_left_as_it_is():
    metadata = Metadata(exif=block())
    assert exif_tags(for_size(metadata, 40, 80).exif) == {0x010F: "Maker"}


@pytest.mark.parametrize(
    "text", ['exif:PixelXDimension="7"', "<exif:PixelXDimension>7<", "tiff:ImageWidth='7'"]
)
def test_widths_in_xmp_follow_the_picture(text):
    resized = for_size(Metadata(xmp=f"a {text} b 7".encode()), 640, 480).xmp.decode()
    assert resized == f"a {text.replace('7', '640', 1)} b 7"


def test_heights_in_xmp_follow_the_picture():
    xmp = b'<d exif:PixelYDimension="1" tiff:ImageLength="1" tiff:XResolution="1"/>'
    assert re.findall(rb'"(\d+)"', for_size(Metadata(xmp=xmp), 640, 480).xmp) == [b"480", b"480", b"1"]


def test_nothing_stays_nothing():
    assert for_size(Metadata(), 3, 4) == Metadata()


def test_profiles_are_matched_by_their_colour_space():
    gray, rgb = b"\0" * 16 + b"GRAY", b"\0" * 16 + b"RGB "
    assert profile_fits(gray, 1)
    assert profile_fits(rgb, 3)
    assert not profile_fits(rgb, 1)
    assert not profile_fits(gray, 3)
    assert not profile_fits(b"", 3)
    assert with_fitting_profile(Metadata(icc=rgb, dpi=(72, 72)), 1) == Metadata(dpi=(72, 72))


def test_a_tiff_that_says_no_resolution_has_none():
    assert read(saved(Image.fromarray(smooth()), "TIFF")).metadata.dpi is None
    assert read(saved(Image.fromarray(smooth()), "TIFF", dpi=(150, 150))).metadata.dpi == (150, 150)
