import io
import struct
import zlib

import numpy as np
import pytest
import tifffile
from imaging.makers import chunk, noise, saved
from PIL import Image, ImageCms

from enhance_cli.imaging.files import (
    encode,
    read,
)
from enhance_cli.imaging.picture import Picture

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


CORNERS = np.zeros((16, 24, 3), np.uint8)
CORNERS[:8, :8], CORNERS[:8, 16:], CORNERS[8:, :8] = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def test_palette_with_and_without_transparency():
    image = Image.fromarray(CORNERS).quantize(8)
    plain = read(saved(image))
    assert plain.alpha is None
    assert np.array_equal(plain.pixels, np.asarray(image.convert("RGB")))
    clear = read(saved(image, transparency=image.getpixel((0, 0))))
    assert clear.alpha[0, 0] == 0
    assert clear.alpha[0, -1] == 255


def test_a_gray_palette_is_gray():
    image = Image.fromarray(noise((8, 8)) // 64 * 64)
    indexed = image.convert("P")
    assert indexed.mode == "P"
    back = read(saved(indexed))
    assert back.gray
    assert np.array_equal(back.pixels[..., 0], np.asarray(image))


def test_one_bit_becomes_black_and_white():
    bits = noise((9, 17)) > 127
    for format in ("PNG", "TIFF", "BMP", "PPM"):
        back = read(saved(Image.fromarray(bits), format))
        assert back.gray, format
        assert np.array_equal(back.pixels[..., 0], bits * np.uint8(255)), format


def test_one_transparent_colour_becomes_alpha():
    rgb = read(saved(Image.fromarray(CORNERS), transparency=(255, 0, 0)))
    assert rgb.alpha[0, 0] == 0
    assert rgb.alpha[0, 20] == 255
    gray = read(saved(Image.fromarray(CORNERS[..., 0]), transparency=255))
    assert gray.gray
    assert np.array_equal(gray.alpha == 0, CORNERS[..., 0] == 255)


def png_with(data, kind, body):
    """Insert one chunk before the pixels."""
    at = data.index(b"IDAT") - 4
    return data[:at] + chunk(kind, body) + data[at:]


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_one_transparent_gray_of_few_bits_becomes_alpha(bits):
    full = 2**bits - 1
    header = struct.pack(">IIBBBBB", 2, 1, bits, 0, 0, 0, 0)
    # The pixels 1 and full, in one byte each only at 8 bits.
    row = bytes([0, 1, full]) if bits == 8 else bytes([0, (1 << 8 - bits) | (full << 8 - 2 * bits)])
    chunks = ((b"IHDR", header), (b"tRNS", b"\0\1"), (b"IDAT", zlib.compress(row)), (b"IEND", b""))
    back = read(b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*one) for one in chunks))
    assert back.pixels.ravel().tolist() == [255 // full, 255]
    assert back.alpha.ravel().tolist() == [0, 0 if bits == 1 else 255]


def test_one_transparent_colour_in_16_bits_is_matched_exactly():
    pixels = np.full((4, 4, 3), 1000, np.uint16)
    pixels[0, 0, 2] = 1001
    back = read(png_with(encode(Picture(pixels), "PNG"), b"tRNS", struct.pack(">3H", 1000, 1000, 1001)))
    assert np.array_equal(back.pixels, pixels)
    assert back.alpha[0, 0] == 0
    assert (back.alpha.ravel()[1:] == 65_535).all()


def test_cmyk_without_profile_is_converted_with_a_warning():
    cmyk = Image.fromarray(CORNERS).convert("CMYK")
    for format in ("TIFF", "JPEG"):
        picture = read(saved(cmyk, format))
        assert np.abs(picture.pixels[2, 2].astype(int) - (255, 0, 0)).max() < 12, format
        assert "CMYK" in picture.warnings[0]
        assert picture.jpeg_subsampling is None


def test_cmyk_with_a_broken_profile_is_still_read():
    profile = SRGB[:16] + b"CMYK" + b"\0" * 40
    picture = read(saved(Image.fromarray(CORNERS).convert("CMYK"), "TIFF", icc_profile=profile))
    assert picture.metadata.icc is None
    assert len(picture.warnings) == 1


def test_16_bit_gray_of_other_programs():
    deep = noise((20, 30), np.uint16)
    for format in ("PNG", "TIFF", "PPM"):
        back = read(saved(Image.fromarray(deep), format))
        assert back.pixels.dtype == np.uint16, format
        assert np.array_equal(back.pixels[..., 0], deep), format


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"compression": "zlib", "predictor": 2},
        {"tile": (16, 16)},
        {"byteorder": ">"},
        {"bigtiff": True},
        {"rowsperstrip": 7},
    ],
)
def test_16_bit_tiff_of_other_programs(how):
    pixels = noise((40, 50, 3), np.uint16)
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, pixels, photometric="rgb", **how)
    assert np.array_equal(read(buffer.getvalue()).pixels, pixels)


@pytest.mark.parametrize("extra", ["unassalpha", "assocalpha", "unspecified"])
def test_alpha_of_16_bit_tiff(extra):
    alpha = noise((9, 9), np.uint16) | np.uint16(1 << 15)
    straight = noise((9, 9, 3), np.uint16, 2)
    stored = (
        straight if extra != "assocalpha" else (straight.astype(float) * alpha[..., None] / 65_535).round()
    )
    buffer = io.BytesIO()
    samples = np.dstack([stored.astype(np.uint16), alpha])
    tifffile.imwrite(buffer, samples, photometric="rgb", extrasamples=[extra])
    back = read(buffer.getvalue())
    tolerance = 2 if extra == "assocalpha" else 0
    assert np.abs(back.pixels.astype(int) - straight).max() <= tolerance
    assert (back.alpha is None) == (extra == "unspecified")


def test_white_is_zero_tiff():
    for dtype in (np.uint8, np.uint16):
        pixels = noise((9, 9), dtype)
        buffer = io.BytesIO()
        tifffile.imwrite(buffer, pixels, photometric="miniswhite")
        assert np.array_equal(read(buffer.getvalue()).pixels[..., 0], np.iinfo(dtype).max - pixels)


def test_pnm_with_odd_full_scales():
    gray = read(b"P5 # a comment\n3 1\n1000\n" + struct.pack(">3H", 0, 500, 1000))
    assert gray.pixels.ravel().tolist() == [0, 32_768, 65_535]
    colour = read(b"P6\n1 2\n1000\n" + struct.pack(">6H", 0, 500, 1000, 1000, 0, 500))
    assert colour.pixels[0, 0].tolist() == [0, 32_768, 65_535]
    assert read(b"P3 1 1 65535 1 2 65535").pixels.ravel().tolist() == [1, 2, 65_535]
    assert read(b"P2 2 1 15 0 15").pixels.ravel().tolist() == [0, 255]


@pytest.mark.parametrize("format", ["GIF", "PNG", "WEBP", "TIFF"])
def test_of_an_animation_the_first_frame_is_taken_with_a_warning(format):
    frames = [Image.fromarray(np.full((8, 8), level, np.uint8)) for level in (10, 200, 100)]
    how = {"lossless": True} if format == "WEBP" else {}
    picture = read(saved(frames[0], format, save_all=True, append_images=frames[1:], **how))
    assert (picture.pixels == 10).all()
    assert picture.warnings == ("holds 3 frames: only the first one is used",)


@pytest.mark.parametrize(("subsampling", "name"), [(0, "4:4:4"), (1, "4:2:2"), (2, "4:2:0")])
def test_a_jpegs_tables_and_subsampling_are_read(subsampling, name):
    picture = read(saved(Image.fromarray(CORNERS), "JPEG", quality=37, subsampling=subsampling))
    assert (picture.jpeg_quality, picture.jpeg_subsampling) == (37, name)
    assert read(saved(Image.fromarray(CORNERS))).jpeg_quality is None
