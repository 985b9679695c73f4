"""`import enhance_cli as enhance`: every kind of image, and the same kind back."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from fake_networks import FakeRuntime
from PIL import Image

import enhance_cli as enhance
from enhance_cli.checkpoints.catalog import catalog
from enhance_cli.engine import network
from enhance_cli.errors import UsageError
from enhance_cli.imaging.mosaic import thinned

rng = np.random.default_rng(0)


@pytest.fixture
def opened(monkeypatch):
    """Every network doubles the size, or keeps it, and changes nothing; returns what was opened and how."""
    calls = []

    def open_runtime(source, settings):
        calls.append((source.name, settings))
        weights = next(one for one in catalog() if one.name == source.name)
        scale = weights.scale
        entries = {"scale": scale, "colour": weights.colour}
        entries |= {"condition": "sigma"} if weights.task == "denoise" else {}
        return FakeRuntime(lambda x: x.repeat(scale, 2).repeat(scale, 3), **entries)

    monkeypatch.setattr(network, "open_runtime", open_runtime)
    return calls


def pixels(*shape, dtype=np.uint8):
    return rng.integers(0, np.iinfo(dtype).max + 1, shape, dtype)


def doubled(array):
    return array.repeat(2, 0).repeat(2, 1)


@pytest.mark.parametrize("shape", [(7, 9), (7, 9, 1), (7, 9, 3)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_arrays(opened, shape, dtype):
    given = pixels(*shape, dtype=dtype)
    result = enhance.load("sr", scale=2)(given)
    assert result.dtype == dtype
    np.testing.assert_array_equal(result, doubled(given))


@pytest.mark.parametrize("channels", [2, 4])
def test_the_last_channel_of_an_array_may_be_alpha(opened, channels):
    given = pixels(8, 8, channels)
    given[..., -1] = 77
    result = enhance.load("denoise", condition=5)(given)
    np.testing.assert_array_equal(result, given)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_floats_are_restored_with_16_bits(opened, dtype):
    given = rng.random((8, 9, 3)).astype(dtype)
    result = enhance.load("sr", scale=2)(given)
    assert result.dtype == dtype
    np.testing.assert_allclose(result, doubled(given), atol=1e-5)


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "P", "1", "I;16"])
def test_pillow_images(opened, mode):
    array = pixels(8, 12, 3)
    array[:4] = 255
    if mode == "I;16":
        given = Image.fromarray(pixels(8, 12, dtype=np.uint16))
    else:
        given = Image.fromarray(array).convert(mode)
    given.info["icc_profile"] = b"profile"
    result = enhance.load("sr", scale=2)(given)
    assert isinstance(result, Image.Image)
    assert result.mode == {"P": "RGB", "1": "L"}.get(mode, mode)
    assert result.info["icc_profile"] == b"profile"
    if mode not in ("LA", "RGBA"):
        expected = given if mode == result.mode else given.convert(result.mode)
        np.testing.assert_array_equal(np.asarray(result), doubled(np.asarray(expected)))


@pytest.mark.parametrize("shape", [(3, 7, 9), (1, 7, 9), (2, 3, 7, 9)])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_tensors(opened, shape, dtype):
    given = torch.rand(shape) if dtype == torch.float32 else torch.randint(256, shape, dtype=dtype)
    result = enhance.load("sr", scale=2)(given)
    assert (result.dtype, result.device) == (given.dtype, given.device)
    expected = given.repeat_interleave(2, -1).repeat_interleave(2, -2)
    torch.testing.assert_close(result, expected, atol=1e-5, rtol=0)


def test_paths_give_what_can_be_written(opened, tmp_path):
    array = pixels(8, 9, 3)
    Image.fromarray(array).save(tmp_path / "a.png", dpi=(300, 300))
    picture = enhance.load("sr", scale=2)(tmp_path / "a.png")
    assert picture.metadata.dpi == pytest.approx((300, 300), abs=0.1)
    enhance.write_image(picture, tmp_path / "b.png")
    np.testing.assert_array_equal(enhance.read_image(str(tmp_path / "b.png")).pixels, doubled(array))


def test_exact_sizes_and_progress(opened):
    calls = []
    upscale = enhance.load("sr", size=(21, 15), tile=16)
    assert upscale(pixels(10, 14, 3), on_tile=lambda done, of: calls.append((done, of))).shape == (15, 21, 3)
    assert calls == [(1, 1)]
    with pytest.raises(UsageError, match="smaller"):
        upscale(pixels(20, 10, 3))


def test_the_condition_is_found_and_what_is_odd_is_told(opened):
    denoise = enhance.load("denoise")
    denoise(pixels(40, 40, 3))
    assert "lies outside" in denoise.warnings[0]
    denoise = enhance.load("denoise", condition=25)
    denoise(pixels(40, 40, 3))
    assert denoise.warnings == ()


def test_a_mosaic_gets_all_its_colours(opened):
    full = np.full((8, 8, 3), 40, np.uint8)
    mosaic = thinned(full, "rggb")
    raw = mosaic.sum(2).astype(np.uint8)
    # Nothing is filled in here, so that the mosaic itself comes back.
    np.testing.assert_array_equal(enhance.load("demosaic", pattern="rggb")(raw), mosaic)


def test_settings_arrive(opened):
    enhance.load("sr", scale=4, model="best", device="cpu", precision="float32", backend="torch", threads=2)
    (_, settings), *_ = opened
    assert settings.ensemble
    assert (settings.device, settings.precision, settings.backend, settings.threads) == (
        "cpu",
        "float32",
        "torch",
        2,
    )


@pytest.mark.parametrize(
    ("task", "wrong", "word"),
    [
        ("colourise", {}, "demosaic"),
        ("sr", {"scale": 1}, "scale"),
        ("sr", {"scale": float("nan")}, "scale"),
        ("sr", {"scale": 2, "size": (9, 9)}, "leave one out"),
        ("sr", {"scale": 9}, "9 times"),
        ("denoise", {"scale": 2}, "keeps the size"),
        ("sr", {"model": "fast", "weights": "a.pt"}, "leave one out"),
        ("sr", {"model": "nonsense"}, "did you mean"),
    ],
)
def test_what_cannot_be(opened, task, wrong, word):
    with pytest.raises(UsageError, match=word):
        enhance.load(task, **wrong)


@pytest.mark.parametrize(
    "image", [None, 7, np.zeros((2, 2, 5), np.uint8), np.zeros(3, np.uint8), np.eye(2) > 0]
)
def test_what_is_no_image(opened, image):
    with pytest.raises(UsageError, match=r"no image|not restored"):
        enhance.load("sr", scale=2)(image)


def test_models_are_listed():
    assert enhance.list_models() == catalog()


def test_importing_it_loads_nothing():
    code = "import sys, enhance_cli; print({'numpy', 'torch', 'PIL', 'enhance_cli.api'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "set()\n"
    with pytest.raises(AttributeError, match="nonsense"):
        enhance.nonsense  # noqa: B018
    assert set(enhance.__all__) <= set(dir(enhance))
