from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from enhance_cli.bench.protocols.sr import PROTOCOLS, SuperResolution
from enhance_cli.bench.run import restore
from enhance_cli.checkpoints.reader import load_file
from enhance_cli.engine.restorer import Restorer
from enhance_cli.engine.settings import EngineSettings
from enhance_cli.errors import ImageError
from enhance_cli.imaging.colour import rgb_to_y
from enhance_cli.imaging.resize import imresize
from enhance_cli.metrics.psnr import psnr

RNG = np.random.default_rng(0)
COLOUR = RNG.integers(0, 256, (34, 43, 3), dtype=np.uint8)
GRAY = COLOUR[..., :1]


def load(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        pixels = np.asarray(picture)
    return pixels.reshape(*pixels.shape[:2], -1)


def matlab_made(folder: Path) -> Iterator[tuple[Path, Path, int]]:
    """(small picture, its original, scale)."""
    for path in sorted(folder.rglob("*.png")):
        scale = int(path.parent.name.removeprefix("X"))
        if path.stem.endswith("_LR"):
            yield path, path.with_name(path.name.replace("_LR", "_HR")), scale
        elif not path.stem.endswith("_HR"):
            name = path.stem.removesuffix(f"x{scale}").removesuffix("_LRBI_")
            yield path, folder.parent / "Set5" / f"{name}.webp", scale


@pytest.mark.parametrize(
    ("folder", "edges", "count"),
    [("matlab_bicubic", "replicate", 33), ("matlab_bicubic_symmetric", "mirror", 15)],
)
def test_networks_are_given_bit_for_bit_what_matlab_made(shared: Path, folder: str, edges, count: int):
    pairs = list(matlab_made(shared / "data/test" / folder))
    assert len(pairs) == count
    for small, large, scale in pairs:
        for protocol in ("matlab-y", "rgb"):
            case = SuperResolution(scale, protocol, edges).degrade(load(large), seed=0)
            assert np.array_equal(case.given, load(small)), (small, protocol)


def test_a_small_picture_made_elsewhere_scores_as_one_made_here():
    for protocol in PROTOCOLS:
        setting = SuperResolution(2, protocol)
        made = setting.degrade(COLOUR, seed=0)
        if made.given.dtype == np.uint8:
            taken = setting.accept(COLOUR, made.given)
            assert np.array_equal(taken.given, made.given)
            assert setting.measure(taken.baseline, taken.reference) == setting.measure(
                made.baseline, made.reference
            )


def test_float_rounds_nothing():
    setting = SuperResolution(2, "float")
    case = setting.degrade(COLOUR, seed=0)
    assert setting.exact
    exact = imresize(COLOUR[:, :42].astype(np.float64), (17, 21), scale=0.5)
    assert case.given.dtype == np.float32
    assert np.array_equal(case.given, exact.astype(np.float32))
    # A result that is wrong by a fraction of a level is measured as just that.
    result = case.reference.astype(np.float32) + np.float32(0.25)
    expected = 20 * np.log10(255 / (0.25 * 219 / 255))
    assert setting.measure(result, case.reference)["psnr_y"] == pytest.approx(expected, abs=1e-3)


def test_float_keeps_what_overshoots():
    step = np.zeros((24, 24, 3), np.uint8)
    step[:, 12:] = 255
    given = SuperResolution(2, "float").degrade(step, seed=0).given
    assert given.min() < -2
    assert given.max() > 257


def test_only_float_enlarges_without_rounding_at_the_end():
    assert SuperResolution(3, "float").degrade(COLOUR, 0).baseline.dtype == np.float32
    others = set(PROTOCOLS) - {"float"}
    assert {SuperResolution(3, name).degrade(COLOUR, 0).baseline.dtype for name in others} == {
        np.dtype(np.uint8)
    }
    assert not any(SuperResolution(3, name).exact for name in others)


def test_y_only_shrinks_the_rounded_luma_in_float():
    setting = SuperResolution(2, "y-only")
    case = setting.degrade(COLOUR, seed=0)
    luma = np.floor(rgb_to_y(COLOUR[:, :42] / 255) * 255 + 0.5)
    assert np.array_equal(case.reference, luma)
    small = imresize(luma, (17, 21), scale=0.5)
    assert np.array_equal(case.given, small.astype(np.float32))
    large = imresize(small.astype(np.float32).astype(np.float64), luma.shape[:2], scale=2.0)
    assert np.array_equal(case.baseline, np.clip(np.floor(large + 0.5), 0, 255))
    inside = np.s_[2:-2, 2:-2]
    assert setting.measure(case.baseline, case.reference)["psnr_y"] == pytest.approx(
        psnr(case.baseline[inside], luma[inside])
    )
    assert setting.gray
    assert not replace(setting, protocol="matlab-y").gray


def test_y_only_leaves_gray_levels_as_they_are():
    assert np.array_equal(SuperResolution(2, "y-only").degrade(GRAY, 0).reference, GRAY[:, :42])


def test_rgb_measures_all_channels():
    reference = np.full((24, 24, 3), 100, np.uint8)
    blue = reference.copy()
    blue[..., 2] += 30
    setting = SuperResolution(2, "rgb")
    assert setting.measure(blue, reference)["psnr"] == pytest.approx(20 * np.log10(255 / 30 * np.sqrt(3)))
    assert set(setting.measure(blue, reference)) == {"psnr", "ssim"}


def test_pillow_and_opencv_shrink_as_they_do_on_their_own():
    import cv2

    by_pillow = SuperResolution(2, "pil-y").degrade(COLOUR, 0).given
    cropped = COLOUR[:, :42]
    resized = Image.fromarray(cropped).resize((21, 17), Image.Resampling.BICUBIC)
    assert np.array_equal(by_pillow, np.asarray(resized))
    by_opencv = SuperResolution(2, "opencv-y").degrade(COLOUR, 0).given
    assert np.array_equal(by_opencv, cv2.resize(cropped, (21, 17), interpolation=cv2.INTER_CUBIC))
    # OpenCV does not smooth before it shrinks, so noise keeps its strength.
    assert by_opencv.std() > 1.3 * by_pillow.std()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_protocol_takes_gray_pictures(protocol):
    setting = SuperResolution(4, protocol)
    case = setting.degrade(GRAY, seed=0)
    assert case.given.shape == (8, 10, 1)
    assert case.baseline.shape == case.reference.shape == (32, 40, 1)
    assert np.isfinite(list(setting.measure(case.baseline, case.reference).values())).all()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_inputs_of_another_size_are_refused(protocol):
    small = np.zeros((17, 22, 3), np.uint8)
    with pytest.raises(ImageError, match="the input is 22x17, and 21x17 would be x2 smaller"):
        SuperResolution(2, protocol).accept(COLOUR, small)


@pytest.mark.parametrize("protocol", ["float", "y-only"])
def test_inputs_of_float_protocols_reach_the_network_as_floats(protocol):
    """Else its result would be rounded like that of a file."""
    given = SuperResolution(2, protocol).accept(COLOUR, COLOUR[:17, :21]).given
    assert given.dtype == np.float32


def test_gray_stored_as_rgb_is_gray():
    rgb = GRAY.repeat(3, axis=2)
    for setting in (SuperResolution(2), SuperResolution(2, "y-only")):
        assert np.array_equal(setting.accept(GRAY, rgb[:17, :21]).given, GRAY[:17, :21])
    assert SuperResolution(2).accept(rgb, GRAY[:17, :21]).given.shape == (17, 21, 3)


def test_colour_beside_gray_is_refused():
    with pytest.raises(ImageError, match="the input is colour and the reference gray"):
        SuperResolution(2).accept(GRAY, COLOUR[:17, :21])
    with pytest.raises(ImageError, match="the input is gray and the reference colour"):
        SuperResolution(2).accept(COLOUR, GRAY[:17, :21])


def test_y_only_takes_a_luma_picture_beside_a_colour_reference():
    setting = SuperResolution(2, "y-only")
    small = COLOUR[:17, :21]
    luma = np.floor(rgb_to_y(small / 255) * 255 + 0.5).astype(np.uint8)
    assert np.array_equal(setting.accept(COLOUR, small).given, setting.accept(COLOUR, luma).given)


def test_what_a_network_makes_of_floats_is_rounded_under_y_only_and_not_under_float(tiny: Path):
    restorer = Restorer.of(load_file(tiny), EngineSettings(device="cpu"))
    results = {}
    for protocol in ("float", "y-only"):
        setting = SuperResolution(2, protocol)
        case = setting.degrade(COLOUR, seed=0)
        results[protocol] = restore(restorer, case, setting)
        assert results[protocol].shape == case.reference.shape
        assert np.isfinite(setting.measure(results[protocol], case.reference)["psnr_y"])
    assert results["y-only"].dtype == np.uint8
    assert results["float"].dtype == np.float32
    assert not np.array_equal(results["float"], np.rint(results["float"]))


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("size", [(1, 1), (3, 40), (40, 3)])
def test_a_picture_smaller_than_the_scale_is_one_line(protocol: str, size: tuple[int, int]):
    setting, clean = SuperResolution(4, protocol), COLOUR[:1, :1].repeat(size[0], 0).repeat(size[1], 1)
    for make in (lambda: setting.degrade(clean, 0), lambda: setting.accept(clean, clean)):
        with pytest.raises(ImageError, match=f"the picture is {size[1]}x{size[0]}, too small for x4"):
            make()
