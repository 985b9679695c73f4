import io
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import tifffile
from imaging.makers import noise, smooth

from enhance_cli.errors import WriteError
from enhance_cli.imaging import png
from enhance_cli.imaging.files import (
    EncodeOptions,
    encode,
    encode_bands,
    holds_16_bit,
    holds_alpha,
    losses,
    read,
)
from enhance_cli.imaging.picture import Metadata, Picture

FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "PPM")


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
    efforts = [len(encode(picture, "WEBP", options=EncodeOptions(webp_effort=n))) for n in (0, 6)]
    assert efforts[1] < efforts[0]
    lossy = read(encode(picture, "WEBP", options=EncodeOptions(webp_quality=50)))
    assert not np.array_equal(lossy.pixels, picture.pixels)


@pytest.fixture(params=["isal", "zlib"])
def deflater(request, monkeypatch):
    """With ISA-L and without."""
    if request.param == "isal":
        return pytest.importorskip("isal")
    return monkeypatch.setattr(png, "isal_zlib", None)


@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_large_pngs_of_several_blocks_are_sound(deflater, level):
    pixels = noise((300, 1300, 3), np.uint16)
    data = encode(Picture(pixels), "PNG", options=EncodeOptions(png_level=level))
    assert data.count(b"IDAT") > 1
    assert np.array_equal(read(data).pixels, pixels)


def test_levels_above_2_are_zlibs_own(monkeypatch):
    picture = Picture(smooth(200, 300))

    def sizes():
        return [len(encode(picture, "PNG", options=EncodeOptions(png_level=level))) for level in (1, 3, 9)]

    fast = sizes()
    monkeypatch.setattr(png, "isal_zlib", None)
    assert sizes()[1:] == fast[1:]


def in_bands(picture, heights):
    """The picture as its outline and bands of rows."""
    bounds = np.cumsum([0, *heights])
    assert bounds[-1] == picture.height
    for top, bottom in pairwise(bounds.tolist()):
        alpha = None if picture.alpha is None else picture.alpha[top:bottom]
        yield replace(picture, pixels=picture.pixels[top:bottom], alpha=alpha)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3])
def test_bands_make_the_same_file_as_the_whole(format, dtype, channels):
    alpha = noise((40, 30), dtype, 1) if holds_alpha(format) else None
    picture = Picture(noise((40, 30, channels), dtype), alpha, Metadata(dpi=(300.0, 300.0)))
    outline = picture.outline(30, 40)
    assert not outline.pixels.any() and outline.pixels.strides[:2] == (0, 0)
    bands = encode_bands(outline, in_bands(picture, [1, 20, 19]), format)
    back, whole = read(b"".join(bands)), read(encode(picture, format))
    assert np.array_equal(back.pixels, whole.pixels)
    assert (back.alpha is None) == (alpha is None)
    assert alpha is None or np.array_equal(back.alpha, whole.alpha)
    assert back.metadata == whole.metadata


@pytest.mark.parametrize("format", ["PNG", "PPM"])
def test_bands_are_encoded_as_they_come(format):
    taken = []

    def bands():
        for number, band in enumerate(in_bands(Picture(noise((900, 400, 3))), [300, 300, 300])):
            taken.append(number)
            yield band

    pieces = encode_bands(Picture(np.zeros((900, 400, 3), np.uint8)), bands(), format)
    next(pieces)
    assert taken == [0]
    assert next(piece for piece in pieces if len(piece) > 1000)
    assert taken == [0]
    list(pieces)
    assert taken == [0, 1, 2]


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


@pytest.mark.parametrize("format", ["PNG", "PPM", "TIFF"])
@pytest.mark.parametrize("n_rows", [1, 2])
def test_a_result_that_lacks_rows_is_never_a_file(format, n_rows):
    picture = Picture(np.zeros((6, 5, 3), np.uint8))
    part = Picture(np.zeros((n_rows, 5, 3), np.uint8))
    with pytest.raises(WriteError, match="rows instead of 6"):
        b"".join(encode_bands(picture.outline(5, 6), [part] * 2, format))
