import io
import os
import struct
import threading
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms, TiffImagePlugin

from enhance_cli.errors import ReadError, UsageError, WriteError
from enhance_cli.imaging import files
from enhance_cli.imaging.files import (
    IMAGE_SUFFIXES,
    EncodeOptions,
    encode,
    format_of,
    holds_16_bit,
    holds_alpha,
    losses,
    read,
    write_atomic,
)
from enhance_cli.imaging.picture import Metadata, Picture

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "PPM")


def noise(shape, dtype=np.uint8, seed=0):
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max + 1, shape, dtype=dtype)


def smooth(height=48, width=64, channels=3, dtype=np.uint8):
    """A picture that lossy formats keep almost as it is."""
    y, x = np.mgrid[:height, :width]
    planes = [x / width, y / height, (x + y) / (width + height)][:channels]
    return (np.stack(planes, axis=2) * np.iinfo(dtype).max).astype(dtype)


def saved(image, format="PNG", **how):
    buffer = io.BytesIO()
    image.save(buffer, format, **how)
    return buffer.getvalue()


# Writing and reading back


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("size", [(37, 23), (1, 1), (1, 300), (300, 1)])
@pytest.mark.parametrize("format", ["PNG", "TIFF", "WEBP", "BMP", "PPM"])
def test_lossless_formats_give_back_what_they_hold(format, size, alpha, channels, dtype):
    mask = noise(size, dtype, 1)
    mask[0, 0] = 0
    picture = Picture(noise((*size, channels), dtype), mask if alpha else None)
    if alpha and not holds_alpha(format):
        with pytest.raises(WriteError, match="write PNG, WebP or TIFF"):
            encode(picture, format)
        return
    back = read(encode(picture, format))
    pixels, mask = picture.pixels, picture.alpha
    if dtype == np.uint16 and not holds_16_bit(format):
        pixels, mask = (
            None if x is None else np.floor(x / 257 + 0.5).astype(np.uint8) for x in (pixels, mask)
        )
    if any("gray becomes RGB" in line for line in losses(picture, format)):
        pixels = np.repeat(pixels, 3, axis=2)
    assert back.pixels.dtype == pixels.dtype
    assert np.array_equal(back.pixels, pixels)
    assert (back.alpha is None) == (mask is None)
    assert mask is None or np.array_equal(back.alpha, mask)
    assert back.format == format
    assert back.warnings == ()


def test_gray_stays_gray_wherever_the_format_has_gray():
    picture = Picture(noise((9, 9, 1)))
    assert [read(encode(picture, format)).gray for format in FORMATS] == [True, True, False, True, True, True]


@pytest.mark.parametrize("channels", [1, 3])
def test_jpeg_is_written_with_quality_95_and_full_chroma(channels):
    picture = Picture(smooth(channels=channels))
    back = read(encode(picture, "JPEG"))
    assert (back.jpeg_quality, back.jpeg_subsampling) == (95, "4:4:4" if channels == 3 else "gray")
    assert np.abs(back.pixels.astype(int) - picture.pixels).max() <= 4


def test_options_reach_the_encoders():
    picture = Picture(smooth())
    assert read(encode(picture, "JPEG", options=EncodeOptions(jpeg_quality=40))).jpeg_quality == 40
    assert len(encode(picture, "PNG", options=EncodeOptions(png_level=9))) < len(
        encode(picture, "PNG", options=EncodeOptions(png_level=0))
    )
    lossy = read(encode(picture, "WEBP", options=EncodeOptions(webp_quality=50)))
    assert not np.array_equal(lossy.pixels, picture.pixels)


def test_large_pngs_of_several_blocks_are_sound():
    pixels = noise((1200, 1300, 3), np.uint16)
    data = encode(Picture(pixels), "PNG", options=EncodeOptions(png_level=1))
    assert data.count(b"IDAT") > 1
    assert np.array_equal(read(data).pixels, pixels)


def test_other_programs_agree_on_our_16_bit_files():
    pixels, alpha = noise((50, 40, 3), np.uint16), noise((50, 40), np.uint16, 1)
    assert np.array_equal(tifffile.imread(io.BytesIO(encode(Picture(pixels), "TIFF"))), pixels)
    both = tifffile.imread(io.BytesIO(encode(Picture(pixels, alpha), "TIFF")))
    assert np.array_equal(both, np.dstack([pixels, alpha]))


def test_transparent_pixels_keep_their_colour():
    picture = Picture(noise((20, 20, 3)), np.zeros((20, 20), np.uint8))
    for format in ("PNG", "TIFF", "WEBP"):
        assert np.array_equal(read(encode(picture, format)).pixels, picture.pixels), format


@pytest.mark.parametrize(("format", "side"), [("JPEG", 65_501), ("WEBP", 16_384)])
def test_a_side_too_long_for_the_format_is_an_error(format, side):
    with pytest.raises(WriteError, match=f"not {side}x1"):
        encode(Picture(np.zeros((1, side, 1), np.uint8)), format)


# Metadata


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


# Kinds of pixels


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
    chunk = struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    return data[:at] + chunk + data[at:]


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


# What cannot be read


def message_of(source, **how):
    with pytest.raises(ReadError) as caught:
        read(source, **how)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_missing_folder_and_empty(tmp_path):
    assert "no such file" in message_of(tmp_path / "none.png")
    assert "folder" in message_of(tmp_path)
    (tmp_path / "empty.png").touch()
    assert message_of(tmp_path / "empty.png") == f"{tmp_path}/empty.png: the file is empty"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads everything")
def test_unreadable(tmp_path):
    path = tmp_path / "closed.png"
    path.write_bytes(b"x")
    path.chmod(0)
    assert "permission" in message_of(path)


def test_unreadable_even_where_permissions_do_not_count(tmp_path, monkeypatch):
    def refuse(self):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert "no permission" in message_of(tmp_path / "a.png")


@pytest.mark.parametrize(
    "data", [b"hello\n", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"%!PS-Adobe-3.0 EPSF-3.0\n", b"\0" * 99]
)
def test_no_picture(data):
    message_of(data)


def tiff_of(dtype, shape=(8, 8, 3), **how):
    buffer = io.BytesIO()
    tifffile.imwrite(
        buffer, np.zeros(shape, dtype), photometric="rgb" if len(shape) == 3 else "minisblack", **how
    )
    return buffer.getvalue()


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint32, np.int16, np.int32])
@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 3)])
def test_tiff_of_floats_or_32_bits(dtype, shape):
    assert "16 bits per channel" in message_of(tiff_of(dtype, shape))


def test_16_bit_tiff_in_planes_is_refused_not_scrambled():
    assert "interleaved" in message_of(tiff_of(np.uint16, (3, 8, 8), planarconfig="separate"))


def samples_to_cut():
    pixels, deep = smooth(96, 96), noise((40, 40, 3), np.uint16)
    image = Image.fromarray(pixels)
    return {
        "jpeg": saved(image, "JPEG"),
        "progressive": saved(image, "JPEG", progressive=True),
        "png": saved(image),
        "png16": encode(Picture(deep), "PNG"),
        "png16 gray": saved(Image.fromarray(deep[..., 0])),
        "webp": saved(image, "WEBP"),
        "webp lossless": saved(image, "WEBP", lossless=True),
        "tiff": tiff_of(np.uint8, (96, 96, 3)),
        "tiff16": tiff_of(np.uint16, (40, 40, 3)),
        "bmp": saved(image, "BMP"),
        "pnm16": encode(Picture(deep), "PPM"),
    }


@pytest.mark.parametrize("name", samples_to_cut())
def test_a_file_cut_off_is_an_error_wherever_it_is_cut(name):
    data = samples_to_cut()[name]
    for cut in [*range(1, len(data), len(data) // 25), len(data) - 12, len(data) - 6]:
        message_of(data[:cut])


def test_a_compressed_tiff_cut_off_is_an_error(capfd):
    for pixels in (smooth(96, 96), noise((40, 40, 3), np.uint16)):
        data = encode(Picture(pixels), "TIFF")
        for cut in (len(data) // 2, len(data) - 40, len(data) - 1):
            message_of(data[:cut])
    capfd.readouterr()


def test_the_size_is_checked_before_decoding():
    bomb = saved(Image.new("1", (20_000, 20_000)))
    text = message_of(bomb)
    assert "20000x20000" in text
    assert "--max-pixels" in text
    assert read(saved(Image.fromarray(CORNERS)), max_pixels=16 * 24).width == 24
    assert "384 pixels" in message_of(saved(Image.fromarray(CORNERS)), max_pixels=16 * 24 - 1)


def test_reading_is_quiet_and_safe_in_threads():
    """Pillow warns about this file (its EXIF ends early); nothing may come out, in any thread."""
    odd = saved(Image.fromarray(CORNERS), "JPEG", exif=b"Exif\0\0" + exif_block().tobytes()[6:60])
    results = []

    def work():
        results.extend(read(odd).pixels.shape for _ in range(20))

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert results == [CORNERS.shape] * 80
    assert caught == []


# Names and writing


def test_formats_by_suffix():
    assert {format_of(Path(f"x{suffix}")) for suffix in IMAGE_SUFFIXES} == set(FORMATS)
    assert format_of(Path("a.b/PHOTO.JPG")) == "JPEG"
    with pytest.raises(UsageError, match=r"\.gif"):
        format_of(Path("x.gif"))
    with pytest.raises(UsageError, match="suffix"):
        format_of(Path("png"))


@pytest.mark.parametrize(
    "name", ["plain.png", "über 100%d %s.png", "日本語.png", "'quo\"tes'.png", "x" * 240 + ".png"]
)
def test_any_name_is_written_and_read(tmp_path, name):
    path = tmp_path / "new" / "folder" / name
    write_atomic(path, encode(Picture(CORNERS), "PNG"))
    assert np.array_equal(read(path).pixels, CORNERS)
    assert [item.name for item in path.parent.iterdir()] == [name]


def test_writing_replaces_and_honours_the_umask(tmp_path):
    path = tmp_path / "a.bin"
    write_atomic(path, b"one")
    write_atomic(path, b"two")
    (tmp_path / "plain").write_bytes(b"")
    assert path.read_bytes() == b"two"
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode


def failing(error):
    def fail(*_):
        raise error

    return fail


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_full_disk_leaves_nothing_behind(tmp_path, monkeypatch, step):
    (tmp_path / "a.png").write_bytes(b"old")
    monkeypatch.setattr(files.os, step, failing(OSError(28, "No space left on device")))
    with pytest.raises(WriteError) as caught:
        write_atomic(tmp_path / "a.png", b"new")
    assert "No space left on device" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
    assert (tmp_path / "a.png").read_bytes() == b"old"


def test_an_interrupt_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(files.os, "replace", failing(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        write_atomic(tmp_path / "a.png", b"new")
    assert list(tmp_path.iterdir()) == []


def test_a_file_where_the_folder_should_be(tmp_path):
    (tmp_path / "blocked").write_bytes(b"")
    with pytest.raises(WriteError, match="blocked"):
        write_atomic(tmp_path / "blocked" / "a.png", b"data")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root writes everywhere")
def test_a_read_only_folder(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(WriteError, match="ermission"):
        write_atomic(tmp_path / "a.png", b"data")
    tmp_path.chmod(0o700)
