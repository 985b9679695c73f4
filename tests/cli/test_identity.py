"""A network that changes nothing, through the whole command: what comes out is what went in.

Beside it, what the usual few lines with Pillow or OpenCV make of the same file.
"""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from broken_networks import break_weights
from PIL import Image, ImageCms

from enhance_cli.arch.registry import ARCHITECTURES
from enhance_cli.checkpoints.reader import load_file, save_file
from enhance_cli.imaging.files import encode, read, read_frames
from enhance_cli.imaging.formats import FORMATS
from enhance_cli.imaging.picture import Picture

REPO = Path(__file__).parents[2]
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.fixture
def same(enhance, tmp_path):
    """`same(source, output, *flags)` runs the command with a network whose last layer is 0."""
    parameters = {"n_colours": 3, "n_feats": 4}
    net = ARCHITECTURES["unet"].build(**parameters)
    for parameter in net.tail.parameters():
        torch.nn.init.zeros_(parameter)
    path = tmp_path / "same.safetensors"
    save_file(path, net, arch="unet", parameters=parameters, task="deblur", metadata={})

    def run(source, output, *flags):
        flags = ("--precision", "float32", "--device", "cpu", "-q", *flags)
        outcome = enhance("deblur", "--weights", path, *flags, source, "-o", output)
        assert outcome.code == 0, outcome.err

    return run


def by_pillow(source, output):
    with Image.open(source) as image:
        Image.fromarray(np.asarray(image.convert("RGB"))).save(output)


def by_opencv(source, output):
    cv2.imwrite(str(output), cv2.imread(str(source)))


def some(channels=3, dtype=np.uint8, alpha=False, **fields):
    rng = np.random.default_rng(0)
    full = int(np.iinfo(dtype).max)
    shape = (40, 56)
    pixels = rng.integers(0, full + 1, (*shape, channels), dtype=dtype)
    # Fully opaque and clear places, and what lies between them.
    mask = rng.integers(0, 3, shape).astype(dtype) * (full // 2) if alpha else None
    return Picture(pixels, alpha=mask, **fields)


@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("format", [name for name, one in FORMATS.items() if one.lossless])
def test_every_lossless_format_gives_back_equal_pixels(same, tmp_path, format, channels, alpha):
    kind = FORMATS[format]
    if kind.missing:
        pytest.skip(kind.missing)
    if alpha and not kind.alpha:
        pytest.skip(f"{kind.title} holds no transparency")
    for dtype in (np.uint8, np.uint16) if kind.deep else (np.uint8,):
        given = some(channels, dtype, alpha)
        source, output = tmp_path / f"a{kind.suffixes[0]}", tmp_path / f"b{kind.suffixes[0]}"
        source.write_bytes(encode(given, format))
        same(source, output, "--overwrite")
        result = read(output)
        visible = slice(None) if given.alpha is None else given.alpha > 0
        assert result.pixels.dtype == given.pixels.dtype
        np.testing.assert_array_equal(result.pixels[visible], (given.pixels + 0 * result.pixels)[visible])
        if alpha:
            np.testing.assert_array_equal(result.alpha, given.alpha)


def test_sixteen_bits_gray_and_transparency_stay(same, tmp_path):
    (tmp_path / "deep.png").write_bytes(encode(some(dtype=np.uint16), "PNG"))
    (tmp_path / "clear.png").write_bytes(encode(some(alpha=True), "PNG"))
    (tmp_path / "gray.png").write_bytes(encode(some(1), "PNG"))
    for name in ("deep.png", "clear.png", "gray.png"):
        source = tmp_path / name
        same(source, tmp_path / f"out-{name}")
        given, result = read(source), read(tmp_path / f"out-{name}")
        assert kind_of(result) == kind_of(given)
        for script in (by_pillow, by_opencv):
            script(source, tmp_path / "naive.png")
            # Eight bits, opaque, three channels, whatever it was.
            assert kind_of(read(tmp_path / "naive.png")) == (np.uint8, False, 3)


def kind_of(picture):
    return picture.pixels.dtype, picture.alpha is not None, picture.pixels.shape[2]


def test_orientation_profile_date_and_resolution_stay(same, tmp_path):
    exif = Image.Exif()
    exif[274], exif[0x0132] = 6, "2024:05:06 07:08:09"
    image = Image.fromarray(some().pixels)
    image.save(tmp_path / "a.png", exif=exif, icc_profile=PROFILE, dpi=(300, 300))
    same(tmp_path / "a.png", tmp_path / "b.png")
    with Image.open(tmp_path / "b.png") as result:
        tags = result.getexif()
        np.testing.assert_array_equal(np.asarray(result), np.rot90(some().pixels, -1))
        assert tags.get(274, 1) == 1 and tags[0x0132] == "2024:05:06 07:08:09"
        assert result.info["icc_profile"] == PROFILE
        assert result.info["dpi"] == pytest.approx((300, 300), abs=0.1)
    for script in (by_pillow, by_opencv):
        script(tmp_path / "a.png", tmp_path / "naive.png")
        with Image.open(tmp_path / "naive.png") as naive:
            assert "icc_profile" not in naive.info and "dpi" not in naive.info and not naive.getexif()
    by_pillow(tmp_path / "a.png", tmp_path / "naive.png")
    with Image.open(tmp_path / "naive.png") as naive:
        # Lying on its side, and nothing in the file says so any more.
        assert naive.size == image.size


def test_all_frames_stay(same, tmp_path):
    first, *others = (Image.fromarray(np.roll(some().pixels, by, 0)) for by in range(3))
    first.save(tmp_path / "a.png", save_all=True, append_images=others, duration=70)
    same(tmp_path / "a.png", tmp_path / "b.png", "--frames", "all")
    assert next(read_frames(tmp_path / "b.png")).count == 3
    for script in (by_pillow, by_opencv):
        script(tmp_path / "a.png", tmp_path / "naive.png")
        assert next(read_frames(tmp_path / "naive.png")).count == 1


@pytest.mark.parametrize("name", ["compact-sr-x2", "unet-dejpeg-rgb", "unet-denoise-rgb", "unet-deblur"])
def test_random_middle_layers_fail_with_advice_that_fits(enhance, tmp_path, name):
    net = load_file(REPO / "weights" / f"{name}.safetensors")
    break_weights(net.module, "middle third", 0)
    known = {"arch": net.arch, "parameters": net.parameters, "task": net.task}
    save_file(tmp_path / "w.safetensors", net.module, **known, metadata={})
    given = read(REPO / "examples/reference/cat.png").pixels[:256, :256]
    (tmp_path / "a.png").write_bytes(encode(Picture(given), "PNG"))
    told = {"denoise": ("--sigma", "25"), "dejpeg": ("--quality", "20")}.get(net.task, ())
    command = (net.task, "--weights", "w.safetensors", "--device", "cpu", *told, "a.png", "b.png")
    outcome = enhance(*command)
    assert outcome.code == 1 and not (tmp_path / "b.png").exists()
    assert "pattern" in outcome.err and "--weights" in outcome.err and "--unchecked" in outcome.err
    assert enhance(*command, "--unchecked").code == 0
