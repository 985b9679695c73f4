import re

import pytest
from PIL import Image

from enhance_cli.imaging.metadata import exif_tags, for_size, profile_fits, with_fitting_profile
from enhance_cli.imaging.picture import Metadata


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
    assert for_size(metadata, 40, 80) == metadata


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
