"""A minimal DNG of a known scene: the colours that come out are those that were put in."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from enhance_cli.api import load
from enhance_cli.checkpoints.catalog import catalog
from enhance_cli.checkpoints.reader import load_weights
from enhance_cli.engine.restorer import Restorer
from enhance_cli.engine.settings import EngineSettings
from enhance_cli.errors import ReadError
from enhance_cli.imaging.decode import ReadOptions
from enhance_cli.imaging.files import read
from enhance_cli.imaging.limits import Limits
from enhance_cli.imaging.mosaic import as_mosaic, interpolated, pattern_of, sampled
from enhance_cli.imaging.raw import developed

rawpy = pytest.importorskip("rawpy", reason="the extra raw is not installed")
tifffile = pytest.importorskip("tifffile", reason="tifffile writes the test's DNG")

BLACK, WHITE = 512, 15000
NEUTRAL = np.array([0.5, 1.0, 0.7])
"""What the sensor gives of white light."""
XYZ_TO_CAMERA = np.array([[0.9, -0.3, -0.1], [-0.4, 1.2, 0.2], [-0.05, 0.2, 0.6]])
SRGB_TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
DARK = [30, 30, 30], [90, 60, 40], [120, 120, 120], [50, 70, 170]
PATCHES = np.array([*DARK, [60, 140, 70], [180, 60, 50], [200, 190, 60], [220, 220, 220]])


def decoded(srgb):
    x = srgb / 255
    return np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)


def scene():
    """(96, 192, 3) sRGB: eight patches."""
    return PATCHES.reshape(2, 4, 3).repeat(48, 0).repeat(48, 1)


def dng(srgb, pattern="rggb", orientation=1, others=None):
    """What a camera of these properties records of an sRGB scene."""
    from_srgb = XYZ_TO_CAMERA @ SRGB_TO_XYZ
    camera = decoded(srgb) @ (from_srgb / from_srgb.sum(1, keepdims=True)).T * NEUTRAL
    samples = (camera * sampled(*srgb.shape[:2], pattern)).sum(2)
    stored = (BLACK + samples.clip(0, 1) * (WHITE - BLACK)).round().astype(np.uint16)

    def fractions(values):
        return [part for value in np.ravel(values) for part in (round(value * 10000), 10000)]

    tags = {
        50706: ("B", 4, b"\1\4\0\0"),
        50708: ("s", 0, "Test Camera"),
        271: ("s", 0, "Nobody"),
        272: ("s", 0, "Test"),
        274: ("H", 1, orientation),
        33421: ("H", 2, (2, 2)),
        33422: ("B", 4, bytes("rgb".index(letter) for letter in pattern)),
        50714: ("H", 1, BLACK),
        50717: ("H", 1, WHITE),
        50721: ("2i", 9, fractions(XYZ_TO_CAMERA)),
        50728: ("2I", 3, fractions(NEUTRAL)),
        50778: ("H", 1, 21),
    } | (others or {})
    file = io.BytesIO()
    extra = [(tag, *value, True) for tag, value in sorted(tags.items())]
    tifffile.imwrite(file, stored, photometric=32803, extratags=extra, metadata=None)
    return file.getvalue()


def patches_of(pixels):
    """(8, 3) mean colours on the 0..255 scale, of the middle of each patch."""
    corners = [(y, x) for y in (12, 60) for x in range(12, 192, 48)]
    return np.array([pixels[y : y + 24, x : x + 24].mean((0, 1)) / 257 for y, x in corners])


@pytest.mark.parametrize("pattern", ["rggb", "bggr", "grbg", "gbrg"])
def test_levels_balance_matrix_and_curve_give_the_scenes_colours(pattern):
    found = read(dng(scene(), pattern))
    assert found.pixels.dtype == np.uint16 and found.pixels.shape == (96, 192, 3)
    assert pattern_of(found.pixels) == pattern
    assert found.camera is not None
    colours = patches_of(developed(interpolated(found.pixels), found.camera))
    np.testing.assert_allclose(colours, PATCHES, atol=1.5)


def test_the_network_gives_them_too():
    weights = next(one for one in catalog() if one.task == "demosaic")
    restorer = Restorer.of(load_weights(weights), EngineSettings(device="cpu"))
    found = as_mosaic(read(dng(scene())), None)
    result = restorer.restore(found).picture
    assert result.camera is None and result.pixels.dtype == np.uint16
    np.testing.assert_allclose(patches_of(result.pixels), PATCHES, atol=3)
    half = restorer.restore(found, strength=0.5).picture
    np.testing.assert_allclose(patches_of(half.pixels), PATCHES, atol=3)


@pytest.mark.parametrize(("orientation", "turns"), [(1, 0), (3, 2), (6, 3), (8, 1)])
def test_it_comes_out_upright(orientation, turns):
    found = read(dng(scene(), orientation=orientation))
    upright = interpolated(found.pixels)
    np.testing.assert_allclose(
        patches_of(np.rot90(developed(upright, found.camera), -turns)), PATCHES, atol=1.5
    )
    assert found.metadata.exif is not None
    exif = Image.Exif()
    exif.load(found.metadata.exif)
    assert exif[271] == "Nobody" and exif.get(274, 1) == 1 and 50728 not in exif


def test_colours_without_a_matrix_are_said_to_be_the_cameras_own():
    unknown = read(dng(scene(), others={50721: ("2i", 9, [0, 1] * 9)}))
    assert any("matrix" in warning for warning in unknown.warnings)
    np.testing.assert_allclose(unknown.camera, np.eye(3))


def test_what_was_white_stays_white():
    bright = np.full((32, 32, 3), 255)
    found = read(dng(bright))
    assert developed(interpolated(found.pixels), found.camera).min() > 65000


def test_sensors_without_a_bayer_mosaic_are_one_line():
    pattern = bytes([1, 1, 0, 1, 1, 2, 1, 1, 2, 1, 1, 0, 2, 0, 1, 0, 2, 1] * 2)
    others = {33421: ("H", 2, (6, 6)), 33422: ("B", 36, pattern)}
    with pytest.raises(ReadError, match="X-Trans mosaic, which is not read"):
        read(dng(scene(), others=others))
    with pytest.raises(ReadError, match="Foveon sensor is not read"):
        read(b"FOVb" + bytes(100))


def test_limits_hold_before_anything_is_unpacked():
    options = ReadOptions(limits=replace(Limits(), pixels=1000))
    with pytest.raises(ReadError, match="--max-pixels"):
        read(dng(scene()), options=options)


def test_other_tasks_refuse_raw_data(tmp_path):
    path = tmp_path / "photo.dng"
    path.write_bytes(dng(scene()))
    with pytest.raises(ReadError, match="enhance demosaic first"):
        load("denoise", device="cpu")(path)


def test_cut_off_data_are_one_line():
    data = dng(scene())
    for size in (len(data) // 2, 400):
        with pytest.raises(ReadError):
            read(data[:size])
