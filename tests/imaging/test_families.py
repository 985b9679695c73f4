"""Files of every family that other programs read: kinds, small damages, frames and pages."""

import io
import zlib

import numpy as np
import pytest
import tifffile
from imaging.makers import chunk, noise, png_with, saved, smooth
from PIL import Image, ImageCms

from enhance_cli.errors import ReadError, WriteError
from enhance_cli.imaging import encode as writer
from enhance_cli.imaging import formats
from enhance_cli.imaging.files import (
    EncodeOptions,
    ReadOptions,
    check_fits,
    encode,
    encode_frames,
    losses,
    read,
    read_frames,
)
from enhance_cli.imaging.formats import FORMATS
from enhance_cli.imaging.picture import Metadata, Picture


def tiff(pixels, **how):
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, pixels, **how)
    return buffer.getvalue()


# PNG


def test_a_png_with_a_large_text_or_profile_is_read():
    text = png_with(chunk(b"zTXt", b"workflow\0\0" + zlib.compress(bytes(3_000_000))))
    picture = read(text)
    assert np.array_equal(picture.pixels, smooth())
    assert picture.warnings == (
        "text that is broken, or longer than --limit text_bytes, was dropped: workflow",
    )
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes() + bytes(2_000_000)
    picture = read(png_with(chunk(b"iCCP", b"icc\0\0" + zlib.compress(profile))))
    assert (picture.metadata.icc, picture.warnings) == (profile, ())


def test_damage_beside_the_pixels_costs_a_warning():
    picture = read(png_with(chunk(b"tEXt", b"Title\0me", crc=1), chunk(b"gAMA", b"\0\0\0\1", crc=1)))
    assert np.array_equal(picture.pixels, smooth())
    assert picture.warnings == (
        "the PNG's tEXt is damaged and was dropped",
        "the PNG's gAMA is damaged and was dropped",
    )
    assert picture.metadata.text == picture.metadata.colour == ()


def test_damage_to_what_pixels_need_is_an_error_or_said():
    data = bytearray(saved(Image.fromarray(smooth())))
    data[29] ^= 1
    with pytest.raises(ReadError, match="checksum of IHDR"):
        read(bytes(data))
    data[29] ^= 1
    end = data.index(b"IEND") - 8
    data[end] ^= 1
    picture = read(bytes(data))
    assert np.array_equal(picture.pixels, smooth())
    assert picture.warnings == (
        "the checksum of the pixel data is wrong: parts of the picture may be damaged",
    )


def test_messages_are_one_line_of_printable_text_whatever_the_file_says():
    broken = png_with(chunk(b"IH\n\x1b", b"", crc=1))
    with pytest.raises(ReadError, match=r"checksum of IH\?\?"):
        read(broken)
    picture = read(png_with(*(chunk(b"tEXt", b"\x1b[31m%d\0x" % number) for number in range(8))))
    assert losses(picture, "JPEG")[0].endswith("?[31m0, ?[31m1, ?[31m2, ?[31m3, ?[31m4 and 3 more")


# JPEG


@pytest.mark.parametrize("how", [{}, {"progressive": True}, {"restart_marker_blocks": 3}])
@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("missing", [1, 2])
def test_a_jpeg_that_lacks_only_its_end_marker_is_read(how, mode, missing):
    data = saved(Image.fromarray(noise((50, 70, 3))).convert(mode), "JPEG", quality=80, **how)
    picture = read(data[:-missing])
    assert np.array_equal(picture.pixels, read(data).pixels)
    assert picture.warnings == ("the JPEG lacks its end marker, but no pixels",)


@pytest.mark.parametrize("how", [{}, {"progressive": True}])
def test_a_jpeg_that_lacks_a_few_bytes_of_its_pixels_is_not(how):
    data = saved(Image.fromarray(noise((50, 70, 3))), "JPEG", quality=80, **how)
    for missing in (5, 10, 40, 300):
        with pytest.raises(ReadError, match="cut off"):
            read(data[:-missing])


def test_a_progressive_jpeg_cut_between_two_scans_is_not_whole():
    data = saved(Image.fromarray(noise((50, 70))), "JPEG", progressive=True)
    last_scan = data.rfind(b"\xff\xc4", 0, data.rfind(b"\xff\xda"))
    with pytest.raises(ReadError, match="cut off"):
        read(data[:last_scan])


def test_the_quality_is_that_of_the_table_which_luma_uses():
    """A file whose luma uses the second table: the numbers of both are exchanged everywhere."""
    data = bytearray(saved(Image.fromarray(smooth()), "JPEG", quality=30))
    at = 2
    while data[at + 1] != 0xDA:
        kind, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if kind == 0xDB:
            for table in range(at + 4, at + 2 + length, 65):
                data[table] ^= 1
        if kind == 0xC0:
            for component in range(at + 12, at + 2 + length, 3):
                data[component] ^= 1
        at += 2 + length
    assert read(bytes(data)).jpeg_quality == 30


def test_pictures_behind_the_first_are_named():
    """As phones store previews and gain maps (CIPA DC-007)."""
    first, second = Image.fromarray(smooth()), Image.fromarray(smooth()[..., 0])
    data = saved(first, "MPO", save_all=True, append_images=[second])
    picture = read(data)
    assert picture.format == "JPEG" and picture.pixels.shape == (48, 64, 3)
    assert picture.warnings == ("holds 2 frames: only the first one is used",)


# TIFF


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("channels", [1, 3])
def test_floating_point_tiff_is_read_with_16_bits(dtype, channels):
    levels = noise((20, 30, channels), np.uint16)
    data = tiff((levels / 65_535).astype(dtype), photometric="rgb" if channels == 3 else "minisblack")
    picture = read(data)
    assert np.array_equal(picture.pixels, levels)
    assert picture.warnings == ("floating-point samples were read as 16 bits, 1 is white",)


def test_floats_out_of_range():
    bright = np.full((4, 4), 1.5, np.float32)
    assert "from 1.5 to 1.5" in read(tiff(bright)).warnings[0]
    for wrong, words in ((100 * bright, "white to 1"), (bright * np.nan, "NaN")):
        with pytest.raises(ReadError, match=words):
            read(tiff(wrong))


def test_32_bits_are_cut_to_16_with_a_word():
    levels = noise((9, 9, 3), np.uint16)
    picture = read(tiff(levels.astype(np.uint32) << 16, photometric="rgb"))
    assert np.array_equal(picture.pixels, levels) and picture.warnings == ("32 bits were cut to 16",)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_planes_are_put_together(dtype, compression):
    pixels = noise((3, 40, 50), dtype)
    data = tiff(pixels, photometric="rgb", planarconfig="separate", compression=compression, rowsperstrip=16)
    assert np.array_equal(read(data).pixels, np.moveaxis(pixels, 0, 2))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_lab_becomes_srgb(dtype):
    """As Little CMS has it, which keeps 8 bits."""
    rgb = Image.fromarray(smooth() // 2 + 64)
    srgb, space = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    lab = np.asarray(ImageCms.profileToProfile(rgb, srgb, space, outputMode="LAB"))
    if dtype == np.uint16:
        light = lab[..., :1].astype(np.uint16) * 257
        lab = np.concatenate(
            [light, (lab[..., 1:].view(np.int8).astype(np.int16) * 256).view(np.uint16)], axis=2
        )
    picture = read(tiff(lab, photometric="cielab"))
    assert picture.pixels.dtype == dtype
    assert picture.warnings == ("Lab was converted to sRGB",)
    assert np.abs(picture.pixels / (np.iinfo(dtype).max / 255) - np.asarray(rgb)).max() < 7


def test_planar_cmyk_is_read():
    cmyk = np.asarray(Image.fromarray(smooth()).convert("CMYK"))
    data = tiff(np.moveaxis(cmyk, 2, 0), photometric="separated", planarconfig="separate")
    picture = read(data)
    assert np.abs(picture.pixels.astype(int) - smooth()).max() <= 2
    assert "CMYK" in picture.warnings[0]


def test_a_reduced_page_that_comes_first_is_not_the_picture():
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as writer:
        writer.write(smooth(6, 8), photometric="rgb", subfiletype=1)
        writer.write(smooth(), photometric="rgb")
    picture = read(buffer.getvalue())
    assert np.array_equal(picture.pixels, smooth())
    assert picture.warnings == ("page 1 of the TIFF is a reduced copy or a mask: page 2 was taken",)
    assert sum(1 for _ in read_frames(buffer.getvalue())) == 1


# PNM


def test_plain_numbers_with_comments():
    assert read(b"P1\n# c\n3 2\n101\n0 1 0\n").pixels[..., 0].tolist() == [[0, 255, 0], [255, 0, 255]]
    assert read(b"P2 2 2 255 1 # one\n2 3\n# three\n4\n").pixels.ravel().tolist() == [1, 2, 3, 4]
    for broken in (b"P2 2 2 255 1 2 3", b"P2 2 2 255 1 2 3 x", b"P2 2 2 9 1 2 3 10", b"P2 2 2 255 1 2 3 -4"):
        with pytest.raises(ReadError):
            read(broken)


def test_long_plain_files_are_read_in_blocks():
    pixels = noise((400, 1000))
    text = b"P2\n1000 400\n255\n" + b" ".join(b"%d" % value for value in pixels.ravel())
    assert len(text) > 1 << 20
    assert np.array_equal(read(text).pixels[..., 0], pixels)


def test_pam_with_alpha():
    pixels = noise((5, 4, 4))
    data = b"P7\nWIDTH 4\nHEIGHT 5\nDEPTH 4\n# x\nMAXVAL 255\nTUPLTYPE RGB_ALPHA\nENDHDR\n" + pixels.tobytes()
    picture = read(data)
    assert np.array_equal(picture.pixels, pixels[..., :3]) and np.array_equal(picture.alpha, pixels[..., 3])


def test_pfm_is_read_with_16_bits():
    levels = noise((5, 4, 3), np.uint16)
    picture = read(b"PF\n4 5\n-1.0\n" + (levels[::-1] / 65_535).astype("<f4").tobytes())
    assert np.array_equal(picture.pixels, levels)


def test_further_pictures_in_a_stream_are_named_and_read():
    stream = b"".join(encode(Picture(smooth(channels=n)), "PPM") for n in (1, 3, 1))
    picture = read(stream)
    assert picture.gray and picture.warnings == ("holds several frames: only the first one is used",)
    shapes = [frame.picture.pixels.shape[2] for frame in read_frames(stream)]
    assert shapes == [1, 3, 1]
    assert b"".join(encode_frames(read_frames(stream), "PPM")) == stream
    assert read(encode(Picture(smooth()), "PPM") + b"\n\n").warnings == ()


# AVIF, HEIC, JPEG XL


def test_10_bit_avif_is_read_with_16_bits(shared):
    picture = read(shared / "cases" / "avif-10-bit" / "ten.avif")
    assert picture.pixels.dtype == np.uint16 and picture.warnings == ()
    eight = np.asarray(Image.open(shared / "cases" / "avif-10-bit" / "ten.avif"))
    assert np.abs(picture.pixels / 257 - eight).max() < 3


LOSSY = {"AVIF": 8, "HEIF": 8, "JXL": 0}


@pytest.mark.parametrize("format", LOSSY)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("alpha", [False, True])
def test_new_formats_come_back(format, channels, alpha):
    if FORMATS[format].missing:
        pytest.skip(FORMATS[format].missing)
    mask = smooth()[..., 0] if alpha else None
    picture = Picture(smooth(channels=channels), mask)
    back = read(encode(picture, format))
    assert back.format == format and back.warnings == ()
    gray = formats.keeps_gray(picture, format)
    assert back.gray == gray
    want = picture.pixels if gray else np.broadcast_to(picture.pixels, (48, 64, 3))
    assert np.abs(back.pixels.astype(int) - want).max() <= LOSSY[format]
    assert (back.alpha is None) == (mask is None)
    assert mask is None or np.abs(back.alpha.astype(int) - mask).max() <= LOSSY[format]


def test_deep_heic_is_read_with_16_bits():
    heif = pytest.importorskip("pillow_heif")
    levels = smooth(dtype=np.uint16)
    buffer = io.BytesIO()
    heif.from_bytes("RGB;16", (64, 48), levels.tobytes()).save(buffer, quality=-1, chroma=444)
    picture = read(buffer.getvalue())
    assert picture.pixels.dtype == np.uint16
    assert np.abs(picture.pixels.astype(int) - levels).max() < 400


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(formats, "find_spec", lambda name: None)
    for data, title, package in (
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC", "pillow-heif"),
        (b"\xff\x0a" + bytes(20), "JPEG XL", "pillow-jxl-plugin"),
    ):
        with pytest.raises(ReadError, match=rf"{title} needs the package {package}: pip install"):
            read(data)
    with pytest.raises(WriteError, match="pillow-heif"):
        check_fits("HEIF", 9, 9, alpha=False)


def test_broken_files_are_called_what_they_are():
    pytest.importorskip("pillow_heif")
    with pytest.raises(ReadError, match="HEIC, broken or cut off"):
        read(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(40))
    for start, title in ((b"8BPS\0\1", "Photoshop"), (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000")):
        with pytest.raises(ReadError, match=f"{title} is not read; convert it"):
            read(start + bytes(40))


# Levels


@pytest.mark.parametrize("bits", [10, 12, 14])
def test_few_bits_stored_in_16_are_named_and_can_be_stretched(bits):
    full = 2**bits - 1
    levels = (smooth(channels=1, dtype=np.uint16).astype(np.uint32) * full // 65_535).astype(np.uint16)
    levels[0, 0] = full
    data = encode(Picture(levels), "PNG")
    assert f"--white-level {full}" in read(data).warnings[0]
    picture = read(data, options=ReadOptions(white_level=full))
    assert picture.warnings == ()
    assert np.abs(picture.pixels.astype(float) - levels * (65_535 / full)).max() <= 1
    dark = read(data, options=ReadOptions(white_level=full, black_level=full // 4))
    assert dark.pixels.min() == 0 and dark.pixels[0, 0] == 65_535
    with pytest.raises(ReadError, match="not above black level"):
        read(data, options=ReadOptions(white_level=5, black_level=9))


def test_pictures_that_use_their_range_get_no_such_word():
    assert read(encode(Picture(smooth(dtype=np.uint16)), "PNG")).warnings == ()
    assert read(encode(Picture(np.zeros((4, 4, 1), np.uint16)), "PNG")).warnings == ()


# Frames and pages


def moving(n=4, alpha=False, dtype=np.uint8):
    for number in range(n):
        pixels = np.zeros((24, 32, 3), dtype)
        pixels[4:12, 4 + number : 12 + number] = [np.iinfo(dtype).max, 0, 0]
        mask = None if not alpha else np.where(pixels[..., 0] > 0, np.iinfo(dtype).max, 0).astype(dtype)
        yield Picture(pixels, mask)


def file_of(pictures, format, milliseconds, loops):
    images = [
        Image.fromarray(one.pixels if one.alpha is None else np.dstack([one.pixels, one.alpha]))
        for one in pictures
    ]
    how = {"lossless": True} if format == "WEBP" else {"disposal": 2} if format == "GIF" else {}
    return saved(
        images[0], format, save_all=True, append_images=images[1:], duration=milliseconds, loop=loops, **how
    )


@pytest.mark.parametrize("format", ["GIF", "PNG", "WEBP"])
@pytest.mark.parametrize("alpha", [False, True])
def test_animations_go_through_frame_by_frame(format, alpha):
    data = file_of(moving(alpha=alpha), format, [100, 200, 300, 400], 0)
    frames = list(read_frames(data))
    assert [frame.milliseconds for frame in frames] == [100, 200, 300, 400]
    assert {frame.count for frame in frames} == {4} and {frame.loops for frame in frames} == {0}
    again = list(read_frames(b"".join(encode_frames(frames, format))))
    assert [frame.milliseconds for frame in again] == [100, 200, 300, 400]
    assert {frame.loops for frame in again} == {0}
    for frame, other, picture in zip(frames, again, moving(alpha=alpha), strict=True):
        clear = np.ones((24, 32), bool) if picture.alpha is None else picture.alpha > 0
        for one in (frame, other):
            assert np.array_equal(one.picture.pixels[clear], picture.pixels[clear])
            if alpha:
                assert np.array_equal(one.picture.alpha, picture.alpha)
    with Image.open(io.BytesIO(b"".join(encode_frames(frames, format)))) as image:
        assert image.n_frames == 4


@pytest.mark.parametrize(("format", "loops"), [("GIF", 1), ("GIF", 3), ("PNG", 3), ("WEBP", 3)])
def test_the_number_of_showings_is_kept(format, loops):
    frames = list(read_frames(b"".join(encode_frames(read_frames(file_of(moving(), format, 50, 0)), format))))
    counted = [type(frame)(frame.picture, frame.milliseconds, loops, frame.count) for frame in frames]
    assert next(read_frames(b"".join(encode_frames(counted, format)))).loops == loops


def test_an_animated_png_keeps_16_bits_and_metadata():
    frames = [
        type(frame)(picture, 40, 0, 3)
        for frame, picture in zip(
            read_frames(file_of(moving(3), "PNG", 40, 0)), moving(3, dtype=np.uint16), strict=True
        )
    ]
    frames[0] = type(frames[0])(
        Picture(frames[0].picture.pixels, metadata=Metadata(dpi=(300.0, 300.0), comment=b"c")), 40, 0, 3
    )
    data = b"".join(encode_frames(frames, "PNG"))
    picture = read(data)
    assert picture.pixels.dtype == np.uint16
    assert picture.metadata.dpi == pytest.approx((300, 300), abs=0.02)
    assert picture.warnings == ("holds 3 frames: only the first one is used",)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_pages_go_through_one_by_one(dtype):
    pages = [noise((20 + n, 30, 1 if n == 1 else 3), dtype, n) for n in range(3)]
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as writer:
        for page in pages:
            writer.write(
                page if page.shape[2] == 3 else page[..., 0],
                photometric="rgb" if page.shape[2] == 3 else None,
            )
    frames = list(read_frames(buffer.getvalue()))
    written = b"".join(encode_frames(frames, "TIFF"))
    with tifffile.TiffFile(io.BytesIO(written)) as file:
        theirs = [np.atleast_3d(page.asarray()) for page in file.pages]
    for page, frame, other in zip(pages, frames, theirs, strict=True):
        assert frame.milliseconds is None
        assert np.array_equal(frame.picture.pixels, page)
        assert np.array_equal(other, page)


def test_frames_are_decoded_when_asked_for():
    data = file_of(moving(), "PNG", 50, 0)
    frames = read_frames(data)
    next(frames)
    frames.close()
    taken = []

    def asked():
        for frame in read_frames(data):
            taken.append(frame)
            yield frame

    pieces = encode_frames(asked(), "PNG")
    next(piece for piece in pieces if b"IDAT" in piece)
    assert len(taken) <= 2


def test_formats_of_one_picture_refuse_several():
    frames = list(read_frames(file_of(moving(), "PNG", 50, 0)))
    for format in ("JPEG", "BMP", "HEIF", "JXL"):
        with pytest.raises(WriteError, match="holds one picture: write TIFF"):
            encode_frames(frames, format)
    with pytest.raises(WriteError, match="no frame"):
        encode_frames([], "PNG")


@pytest.mark.parametrize("format", ["AVIF", "GIF", "WEBP", "PNG"])
def test_pages_of_different_sizes_are_no_animation(format):
    """Pillow's AVIF encoder would end the process, its GIF encoder cut them off."""
    large, small = (Image.fromarray(smooth(*size)) for size in ((48, 64), (24, 64)))
    pages = saved(large, "TIFF", save_all=True, append_images=[small])
    with pytest.raises(WriteError, match="differ"):
        b"".join(encode_frames(read_frames(pages), format))


def test_frames_that_memory_might_not_hold_are_refused(monkeypatch):
    monkeypatch.setattr(writer, "MAX_HELD_PIXELS", 3 * 24 * 32)
    data = file_of(moving(), "PNG", 50, 0)
    with pytest.raises(WriteError, match="write PNG, which takes them one by one"):
        list(encode_frames(read_frames(data), "WEBP"))
    assert read(b"".join(encode_frames(read_frames(data), "PNG"))).width == 32


def test_an_avif_animation_goes_through():
    data = b"".join(
        encode_frames(read_frames(file_of(moving(), "PNG", 50, 0)), "AVIF", options=EncodeOptions())
    )
    frames = list(read_frames(data))
    assert [frame.milliseconds for frame in frames] == [50] * 4
    assert np.abs(frames[2].picture.pixels.astype(int) - list(moving())[2].pixels).mean() < 3
