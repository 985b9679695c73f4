from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from broken_networks import break_weights

from enhance_cli.checkpoints.catalog import catalog
from enhance_cli.checkpoints.reader import load_weights
from enhance_cli.engine import check
from enhance_cli.engine.check import Comparison, filled_mosaic
from enhance_cli.imaging.files import read
from enhance_cli.tasks import TASKS, Changes

rng = np.random.default_rng(0)
NAMES = tuple(TASKS)


def fault_of(x, y, task="denoise"):
    return check.fault_of(x, y, TASKS[task])


def zeros(*shape):
    return np.zeros(shape, np.float32)


@pytest.fixture
def scene():
    """(1, 3, 96, 128): a bright sky, dark ground with some texture, and a gray wall."""
    x = zeros(1, 3, 96, 128) + 0.15
    x[:, :, :40] = np.float32([0.5, 0.6, 0.8]).reshape(1, 3, 1, 1)
    x[:, :, 20:80, 70:110] = 0.4
    return x + 0.02 * rng.standard_normal(x.shape, np.float32)


@pytest.fixture
def x():
    return rng.random((1, 3, 32, 48), np.float32)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_one_value_that_is_no_number_is_enough(x, bad):
    y = x.copy()
    y[0, 1, 5, 6] = bad
    assert "NaN or Inf" in fault_of(x, y)


def test_black(x):
    assert "black" in fault_of(x, np.zeros_like(x))
    assert fault_of(np.zeros_like(x), np.zeros_like(x)) is None


def test_black_with_one_lit_spot_is_not_taken_for_black_input():
    x = zeros(1, 1, 64, 64)
    x[..., :8, :8] = 1
    assert "black" in fault_of(x, np.zeros_like(x))


@pytest.mark.parametrize("side", [8, 64, 256])
@pytest.mark.parametrize("clipped", [True, False])
def test_noise_on_black_may_be_removed(side, clipped):
    noisy = rng.standard_normal((1, 3, side, side), np.float32) * (50 if side > 8 else 20) / 255
    noisy = noisy.clip(0, 1) if clipped else noisy
    assert fault_of(noisy, np.zeros_like(noisy)) is None


def test_a_night_picture_must_not_turn_black():
    night = zeros(1, 3, 64, 64)
    night[:, 2] = 0.05 + 0.05 * rng.random((64, 64))
    assert "black" in fault_of(night, np.zeros_like(night))


@pytest.mark.parametrize("task", NAMES)
def test_a_result_like_its_input_passes(scene, task):
    assert fault_of(scene, scene, task) is None


@pytest.mark.parametrize("task", NAMES)
@pytest.mark.parametrize("channels", [slice(3), slice(1)])
def test_a_shift_by_61_levels(scene, task, channels):
    y = scene.copy()
    y[:, channels] += 61 / 255
    assert "shifted" in fault_of(scene, y, task)


@pytest.mark.parametrize("task", NAMES)
def test_half_of_the_picture_black(scene, task):
    y = scene.copy()
    y[..., 64:] = 0
    assert fault_of(scene, y, task)


@pytest.mark.parametrize("task", NAMES)
@pytest.mark.parametrize("offset", range(4))
def test_a_white_spot(scene, task, offset):
    y = scene.copy()
    y[..., 60 + offset : 67 + offset, 21 + offset : 28 + offset] = 1
    assert fault_of(scene, y, task)


@pytest.mark.parametrize("task", NAMES)
@pytest.mark.parametrize("level", [0.5, None])
def test_a_constant(scene, task, level):
    y = np.full_like(scene, level) if level else 0 * scene + scene.mean((2, 3), keepdims=True)
    assert fault_of(scene, y, task)


def test_a_picture_with_its_own_means_but_no_contrast(scene):
    y = 0.3 * scene + 0.7 * scene.mean((2, 3), keepdims=True)
    assert "contrast" in check.fault_of(scene, y, replace(TASKS["sr"], changes=Changes(1, 1, 9)))


@pytest.mark.parametrize("task", ["sr", "dejpeg", "denoise", "deblur"])
def test_stripes_that_leave_the_means_alone(scene, task):
    y = scene + np.float32([0.2, -0.2] * 64)
    assert "fine structure" in fault_of(scene, y, task)


@pytest.mark.parametrize("sigma", [5, 25, 75])
@pytest.mark.parametrize("darkness", [1, 0.3])
def test_strong_noise_may_be_removed(scene, sigma, darkness):
    clean = darkness * scene
    noisy = clean + np.float32(sigma / 255) * rng.standard_normal(clean.shape, np.float32)
    assert fault_of(noisy.clip(0, 1), clean) is None


def test_a_picture_of_noise_may_become_flat():
    noise = (0.5 + 0.3 * rng.standard_normal((1, 3, 128, 128), np.float32)).clip(0, 1)
    assert fault_of(noise, 0 * noise + 0.5) is None


def test_an_edge_may_become_sharp():
    x = np.repeat(np.linspace(-4, 5, 128, dtype=np.float32).clip(0, 1)[None], 96, 0)[None, None]
    assert fault_of(x, (x > 0.5).astype(np.float32), "deblur") is None


def test_the_worst_channel_counts(scene):
    y = scene.copy()
    y[:, 2] += 0.1
    found = Comparison.of(scene, y, reach=8)
    assert found.drift == pytest.approx(0.1, abs=1e-3)
    assert (found.contrast, found.roughness) == pytest.approx((1, 1), abs=1e-3)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_a_larger_result_is_compared_by_the_means_of_its_blocks(scene, scale):
    y = scene.repeat(scale, 2).repeat(scale, 3)
    assert fault_of(scene, y, "sr") is None
    y[..., 60 * scale : 60 * scale + 7, 33:40] = 1
    assert "spots" in fault_of(scene, y, "sr")


@pytest.mark.parametrize("size", [(1, 1), (1, 400), (400, 1), (3, 90), (17, 16)])
@pytest.mark.parametrize("task", NAMES)
def test_pictures_of_any_shape(size, task):
    x = rng.random((1, 3, *size), np.float32)
    assert fault_of(x, x, task) is None


def test_few_pixels_prove_no_shift():
    assert fault_of(zeros(1, 1, 1, 1) + 1, zeros(1, 1, 1, 1) + 0.5) is None


def test_infinities_of_both_signs_do_not_cancel(x):
    y = x.copy()
    y[0, 1, 5, 6], y[0, 1, 9, 9] = float("inf"), -float("inf")
    assert "NaN or Inf" in fault_of(x, y)


def test_a_mosaic_is_as_bright_as_its_picture():
    mosaic = zeros(1, 3, 2, 2)
    mosaic[0, 1, 0, 0] = mosaic[0, 0, 0, 1] = mosaic[0, 2, 1, 0] = mosaic[0, 1, 1, 1] = 0.5
    np.testing.assert_allclose(filled_mosaic(mosaic), np.full((1, 3, 2, 2), 0.5))


SHIPPED = (
    *(f"compact-sr-{scale}" for scale in ("x2", "x4-deep")),
    *(f"unet-{damage}" for damage in ("dejpeg-rgb", "denoise-rgb", "deblur")),
)


@pytest.fixture(scope="module")
def examples():
    """(1, 3, 256, 256) parts of our own pictures, in [0, 1]."""
    folder = Path(__file__).parents[2] / "examples" / "reference"
    names = ("astronaut.png", "cat.png")
    parts = [read(folder / name).pixels[:256, :256] for name in names]
    return [np.ascontiguousarray(part.transpose(2, 0, 1)[None] / np.float32(255)) for part in parts]


def result_of(net, x):
    """What a network makes of (1, 3, H, W) in [0, 1]."""
    given = x if net.spec.colour == "rgb" else x.swapaxes(0, 1)
    condition = () if net.spec.condition is None else (torch.full((1, 1, 1, 1), 0.2),)
    with torch.inference_mode():
        y = net.module(torch.from_numpy(np.ascontiguousarray(given)), *condition).numpy()
    return y if net.spec.colour == "rgb" else y.swapaxes(0, 1)


@pytest.mark.parametrize("name", SHIPPED)
def test_random_middle_layers_are_refused_and_shipped_ones_are_not(name, examples):
    weights = next(one for one in catalog() if one.name == name)
    if weights.task == "sr":
        examples = [x[..., 64:160, 64:160] for x in examples]
    for x in examples:
        assert fault_of(x, result_of(load_weights(weights), x), weights.task) is None
    for way in ("middle third", "all but first and last"):
        for seed in range(2):
            net = load_weights(weights)
            break_weights(net.module, way, seed)
            for x in examples:
                assert fault_of(x, result_of(net, x), weights.task), (way, seed)


@pytest.mark.parametrize("task", ["dejpeg", "denoise", "deblur"])
@pytest.mark.parametrize("period", [2, 4, 8])
def test_a_pattern_that_is_not_the_pictures_own(examples, task, period):
    cell = np.linspace(-8, 8, period**2, dtype=np.float32).reshape(period, period) / 255
    x = examples[0]
    y = x + np.tile(cell, (256 // period, 256 // period))
    assert "pattern" in fault_of(x, y, task)
    # Taking it away is what these tasks are for.
    assert fault_of(y, x, task) is None


@pytest.mark.parametrize("task", ["dejpeg", "denoise", "deblur"])
def test_lines_and_steps_that_repeat_are_no_fault(task):
    for period in (2, 3, 4, 8):
        x = zeros(1, 1, 128, 128) + 0.8
        x[..., ::period] = 0.2
        y = x.copy()
        y[..., ::period] -= 0.05
        y[..., 1::period] += 0.02
        assert fault_of(x, y, task) is None


def test_one_long_edge_is_no_pattern():
    x = zeros(1, 1, 128, 128) + 0.05
    x[..., 61:] = 0.95
    y = x.copy()
    y[..., 59:61], y[..., 61:63] = 0.0, 1.0
    assert fault_of(x, y, "deblur") is None
