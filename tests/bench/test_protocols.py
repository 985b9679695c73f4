from collections.abc import Iterator
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest
from PIL import Image

from enhance_cli.bench.protocols.blur import MotionBlur
from enhance_cli.bench.protocols.choice import PROTOCOLS, Values, settings
from enhance_cli.bench.protocols.contract import Setting
from enhance_cli.bench.protocols.jpeg import JpegColour, JpegLuma, PhotoJpeg
from enhance_cli.bench.protocols.noise import Noise
from enhance_cli.bench.protocols.real import RealPair, RealSr, Undamaged
from enhance_cli.bench.protocols.sr import PhotoSr, SuperResolution
from enhance_cli.errors import ImageError, UsageError
from enhance_cli.imaging.colour import rgb_to_y
from enhance_cli.metrics.measure import Metrics

RNG = np.random.default_rng(0)
COLOUR = RNG.integers(0, 256, (34, 43, 3), dtype=np.uint8)
GRAY = COLOUR[..., :1]


def pictures(folder: Path) -> Iterator[np.ndarray]:
    for path in sorted(folder.iterdir()):
        with Image.open(path) as picture:
            pixels = np.asarray(picture)
        yield pixels.reshape(*pixels.shape[:2], -1)


def baseline(setting: Setting, folder: Path) -> Metrics:
    """Mean scores of doing nothing."""
    cases = [setting.degrade(clean, seed) for seed, clean in enumerate(pictures(folder))]
    scores = [setting.measure(case.baseline, case.reference) for case in cases]
    return {name: fmean(score[name] for score in scores) for name in scores[0]}


@pytest.mark.parametrize(
    ("scale", "psnr", "ssim"), [(2, 33.68, 0.9305), (3, 30.40, 0.8690), (4, 28.43, 0.8113)]
)
def test_bicubic_on_set5(shared: Path, scale: int, psnr: float, ssim: float):
    scores = baseline(SuperResolution(scale), shared / "data" / "test" / "Set5")
    assert scores["psnr_y"] == pytest.approx(psnr, abs=0.006)
    assert scores["ssim_y"] == pytest.approx(ssim, abs=2e-4)


@pytest.mark.parametrize("sigma", [15, 25, 50])
def test_noise_has_the_strength_it_says(sigma: int):
    case = Noise(sigma).degrade(np.zeros((400, 400, 1), np.uint8), seed=3)
    psnr = Noise(sigma).measure(case.baseline, case.reference)["psnr"]
    assert psnr == pytest.approx(20 * np.log10(255 / sigma), abs=0.05)
    assert case.given.min() < 0


def test_super_resolution_crops_shaves_and_keeps_gray_as_it_is():
    setting = SuperResolution(4)
    case = setting.degrade(GRAY, seed=0)
    assert case.given.shape == (8, 10, 1)
    assert case.reference.shape == case.baseline.shape == (32, 40, 1)
    spoilt = case.reference.copy()
    spoilt[:4], spoilt[:, -4:] = 0, 255
    assert setting.measure(spoilt, case.reference)["psnr_y"] == np.inf
    shifted = np.clip(case.reference, 0, 245) + np.uint8(10)
    assert setting.measure(shifted, np.clip(case.reference, 0, 245))["psnr_y"] == pytest.approx(
        28.13, abs=0.01
    )


def test_super_resolution_measures_colour_on_luma():
    reference = np.full((24, 24, 3), 100, np.uint8)
    # Ten levels more in every channel are 8.59 of luma.
    psnr = SuperResolution(2).measure(reference + np.uint8(10), reference)["psnr_y"]
    assert psnr == pytest.approx(20 * np.log10(255 / (219 / 255 * 10)), abs=1e-6)


def test_jpeg_luma_codes_the_rounded_y_of_a_colour_picture():
    case = JpegLuma(40).degrade(COLOUR, seed=0)
    luma = rgb_to_y(COLOUR / 255) * 255
    assert case.given.shape == (34, 43, 1)
    assert np.abs(case.reference - luma).max() <= 0.5 + 1e-9
    assert set(JpegLuma(40).measure(case.given, case.reference)) == {"psnr", "ssim", "psnr_b"}


def test_jpeg_colour_keeps_three_channels():
    case = JpegColour(40).degrade(COLOUR, seed=0)
    assert case.given.shape == case.reference.shape == COLOUR.shape
    assert JpegColour(40).name == "q40 rgb"


@pytest.mark.parametrize("setting", [Noise(25), MotionBlur(), PhotoSr(2), PhotoJpeg(40)])
def test_seeds_decide(setting: Setting):
    first, again, other = (setting.degrade(COLOUR, seed).given for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_photographs_are_measured_like_the_task_without_them():
    case, bicubic = PhotoSr(3).degrade(COLOUR, seed=0), SuperResolution(3).degrade(COLOUR, seed=0)
    assert np.array_equal(case.reference, bicubic.reference)
    assert case.given.shape == bicubic.given.shape and case.baseline.shape == bicubic.baseline.shape
    assert PhotoSr(3).measure(case.baseline, case.reference) == SuperResolution(3).measure(
        case.baseline, case.reference
    )
    assert settings("sr", Values(protocol="photo", scales=(4,))) == (PhotoSr(4),)
    assert settings("dejpeg", Values(protocol="jpeg-photo", qualities=(40,))) == (PhotoJpeg(40),)
    with pytest.raises(UsageError, match="photo takes --scale 2 to 4, not 8"):
        settings("sr", Values(protocol="photo", scales=(8,)))
    assert PhotoJpeg(40).degrade(COLOUR, seed=0).given.shape == COLOUR.shape


def test_settings_are_the_usual_ones_unless_asked():
    assert [setting.name for setting in settings("sr", Values())] == ["x2", "x3", "x4"]
    assert [setting.name for setting in settings("dejpeg", Values())] == ["q10", "q20", "q30", "q40"]
    assert [setting.name for setting in settings("denoise", Values(sigmas=(12.5,)))] == ["sigma 12.5"]
    assert [setting.name for setting in settings("deblur", Values())] == ["motion"]
    assert settings("dejpeg", Values(qualities=(7,), protocol="jpeg-rgb")) == (JpegColour(7),)


def test_a_clean_picture_is_measured_by_every_task_that_keeps_what_it_gets():
    clean = Values(protocol="clean")
    assert clean.tasks == {"dejpeg", "denoise", "deblur"}
    assert {settings(task, clean) for task in clean.tasks} == {(Undamaged(task),) for task in clean.tasks}


def test_a_clean_picture_takes_no_strength():
    with pytest.raises(UsageError, match="leave out --scale, --quality and --sigma"):
        Values(protocol="clean", sigmas=(25.0,))


def test_values_know_their_tasks():
    assert Values().tasks == set()
    assert Values(scales=(2,), protocol="jpeg-rgb").tasks == {"sr", "dejpeg"}


@pytest.mark.parametrize("values", [{"scales": (1,)}, {"qualities": (10, 101)}, {"sigmas": (-5.0,)}])
def test_values_out_of_range(values: dict):
    with pytest.raises(UsageError, match="out of range"):
        Values(**values)


def test_real_pictures_leave_their_task_to_the_sets_and_take_no_strength():
    real = Values(protocol="real")
    assert real.tasks == set()
    assert settings("denoise", real) == (RealPair("denoise"),)
    assert settings("sr", Values(scales=(4,)), "real") == (RealSr(4),)
    assert settings("denoise", Values(sigmas=(25.0,)), "real") == (Noise(25.0),)
    with pytest.raises(UsageError, match="leave out --quality and --sigma"):
        Values(protocol="real", sigmas=(25.0,))


def test_real_damage_cannot_be_made():
    for setting in (RealPair("deblur"), RealSr(2)):
        with pytest.raises(ImageError, match="real damage cannot be made"):
            setting.degrade(COLOUR, 0)


def test_real_pairs_are_measured_as_they_lie():
    case = RealPair("denoise").accept(COLOUR, COLOUR // 2)
    assert np.array_equal(case.given, case.baseline) and np.array_equal(case.reference, COLOUR)
    small = RealSr(2).accept(COLOUR, COLOUR[:17, :21])
    assert small.reference.shape == small.baseline.shape == (34, 42, 3)
    assert set(RealSr(2).measure(small.baseline, small.reference)) == {"psnr", "ssim"}


def test_every_protocol_has_its_settings_and_is_documented(tmp_path: Path):
    text = (Path(__file__).resolve().parents[2] / "docs" / "protocols.md").read_text(encoding="utf-8")
    for name, protocol in PROTOCOLS.items():
        assert f"`{name}`" in text
        for task in protocol.tasks if name != "levin" else ():
            found = settings(task, Values(protocol=name))
            assert {(one.protocol, one.task) for one in found} == {(name, task)}
