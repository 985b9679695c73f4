from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from PIL import Image
from small_networks import CONFIGURATIONS, SMALL
from torch import nn
from torch.nn import functional as F

from enhance_cli.arch.registry import ARCHITECTURES
from enhance_cli.checkpoints.catalog import catalog
from enhance_cli.checkpoints.reader import load_weights
from enhance_cli.engine import check
from enhance_cli.engine.restorer import Restorer
from enhance_cli.engine.settings import EngineSettings
from enhance_cli.engine.tiles import round_up
from enhance_cli.errors import RestoreError, UsageError
from enhance_cli.imaging.alpha import resized_alpha
from enhance_cli.imaging.colour import rgb_to_ycbcr, to_float
from enhance_cli.imaging.mosaic import thinned
from enhance_cli.imaging.picture import Metadata, Picture
from enhance_cli.imaging.resize import imresize

rng = np.random.default_rng(0)
CPU = EngineSettings(device="cpu")


def picture(height=40, width=30, channels=3, dtype=np.uint8, **fields):
    pixels = rng.integers(0, int(np.iinfo(dtype).max) + 1, (height, width, channels), dtype=dtype)
    return Picture(pixels, **fields)


def enlarge(factor):
    return lambda x: x.repeat_interleave(factor, 2).repeat_interleave(factor, 3)


def same(x, *condition):
    return x


@pytest.fixture
def small(load, monkeypatch):
    """Builds a small network with random weights, whose random colours are nobody's business."""
    monkeypatch.setattr(check, "fault_of", lambda x, y, task: None)

    def build(name, parameters):
        entry = ARCHITECTURES[name]
        return load(entry.build(**parameters), entry.spec(**parameters))

    return build


def restored(net, shown, **settings):
    condition = {"sigma": 25.0, "quality": 30.0, None: None}[net.spec.condition]
    scale = 2.0 if net.spec.pre_upsampled else None
    return Restorer.of(net, replace(CPU, **settings)).restore(shown, condition=condition, scale=scale)


@pytest.mark.parametrize(("name", "parameters"), CONFIGURATIONS)
def test_tiled_and_whole_differ_by_one_level_at_most(name, parameters, small):
    net = small(name, parameters)
    if net.spec.tiling != "exact":
        pytest.skip("averages over all it sees")
    halos = 2 * (round_up(net.spec.halo, net.spec.multiple) - net.spec.margin)
    scale = 2 if net.spec.pre_upsampled else 1
    shown = picture((halos + 51) // scale, (halos + 71) // scale)
    whole, tiled = (restored(net, shown, tile=tile) for tile in (0, 32))
    assert (whole.tiles, tiled.tiles) == (1, 6)
    difference = whole.picture.pixels.astype(int) - tiled.picture.pixels
    assert np.abs(difference).max() <= 1
    assert whole.picture.pixels.std() > 0.1


@pytest.mark.parametrize(("name", "parameters"), [(name, several[0]) for name, several in SMALL.items()])
@pytest.mark.parametrize("size", [(37, 45), (1, 1), (3, 200), (250, 7)])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_network_takes_odd_sizes_and_the_other_number_of_channels(
    name, parameters, size, channels, small
):
    net = small(name, parameters)
    height, width = size
    factor = 2 if net.spec.pre_upsampled else net.spec.scale
    result = restored(net, picture(height, width, channels)).picture
    assert result.pixels.shape == (height * factor, width * factor, channels)


@pytest.mark.parametrize("colour", ["rgb", "y", "gray"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_network_that_changes_nothing_changes_nothing(load, colour, channels, dtype):
    shown = picture(13, 9, channels, dtype, metadata=Metadata(icc=b"profile"), jpeg_quality=30)
    restored = Restorer.of(load(same, colour=colour, multiple=8), replace(CPU, tile=8)).restore(shown)
    assert restored.picture.pixels.dtype == dtype
    np.testing.assert_array_equal(restored.picture.pixels, shown.pixels)
    assert (restored.picture.metadata, restored.picture.jpeg_quality) == (shown.metadata, 30)


@pytest.mark.parametrize("size", [(1, 1), (3, 500), (500, 3), (17, 8)])
def test_odd_sizes_reach_the_network_padded_and_come_back_cropped(load, size):
    net = load(enlarge(2), scale=2, multiple=8, minimum=24, halo=4)
    shown = picture(*size)
    restored = Restorer.of(net, replace(CPU, tile=16)).restore(shown)
    np.testing.assert_array_equal(restored.picture.pixels, shown.pixels.repeat(2, 0).repeat(2, 1))
    for (x,) in net.module.seen:
        assert min(x.shape[2:]) >= 24
        assert x.shape[2] % 8 == x.shape[3] % 8 == 0


@pytest.mark.parametrize("size", [(1, 1), (40, 30), (9, 100)])
@pytest.mark.parametrize("tile", [0, 16])
def test_a_margin_is_mirrored_around_the_picture_and_cut_off(load, size, tile):
    net = load(enlarge(2), scale=2, multiple=4, margin=8, halo=3)
    shown = picture(*size)
    restored = Restorer.of(net, replace(CPU, tile=tile)).restore(shown)
    np.testing.assert_array_equal(restored.picture.pixels, shown.pixels.repeat(2, 0).repeat(2, 1))
    corner = net.module.seen[0][0][0, :, :8, :8]
    around = np.pad(to_float(shown.pixels), ((8, 8), (8, 8), (0, 0)), mode="symmetric")
    np.testing.assert_array_equal(corner, around[:8, :8].transpose(2, 0, 1))


def test_a_luma_network_enlarges_chroma_by_bicubic(load):
    shown = Picture(rng.integers(110 * 257, 150 * 257, (10, 12, 3), dtype=np.uint16))
    net = load(lambda x: enlarge(2)(x) * 0.9, colour="y", scale=2)
    plane = to_float(Restorer.of(net, replace(CPU, tile=7)).restore(shown).picture.pixels)
    given = to_float(shown.pixels)
    got, plain = rgb_to_ycbcr(plane), rgb_to_ycbcr(imresize(given, (20, 24)))
    np.testing.assert_allclose(got[..., 1:], plain[..., 1:], atol=2e-5)
    luma = rgb_to_ycbcr(given)[..., 0].repeat(2, 0).repeat(2, 1)
    np.testing.assert_allclose(got[..., 0], 0.9 * luma, atol=2e-5)


def test_a_pre_upsampled_network_is_given_the_unrounded_bicubic(load):
    shown = picture(9, 11, 1, np.uint16)
    net = load(same, colour="y", pre_upsampled=True)
    restored = Restorer.of(net, CPU).restore(shown, scale=2.5)
    expected = imresize(to_float(shown.pixels), (23, 28))
    np.testing.assert_allclose(net.module.seen[0][0][0, 0], expected[..., 0], atol=1e-6)
    np.testing.assert_allclose(to_float(restored.picture.pixels), expected.clip(0, 1), atol=1e-5)


@pytest.mark.parametrize("weights", catalog(), ids=lambda weights: weights.name)
@pytest.mark.parametrize("colour", list(product((0, 255), repeat=3)))
def test_flat_pictures_stay_flat_up_to_their_border(weights, colour):
    condition = weights.condition_range[0] if weights.condition_range else None
    shown = Picture(np.full((24, 17, 3), colour, np.uint8))
    if weights.task == "demosaic":
        shown = Picture(thinned(shown.pixels, "grbg"))
    restored = Restorer.of(load_weights(weights), CPU).restore(shown, condition=condition)
    # Of a mosaic of red three samples of four are black: up to 14 levels are spread into them.
    known = weights.name == "unet-demosaic" and colour == (255, 0, 0)
    assert np.abs(restored.picture.pixels.astype(int) - colour).max() <= (15 if known else 12)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("ask", [{"scale": 1.5}, {"size": (45, 60)}, {"scale": 1}, {"scale": 3.7}])
def test_other_sizes_come_from_the_networks_result_by_bicubic(load, ask, dtype):
    shown = picture(40, 30, dtype=dtype)
    restored = Restorer.of(load(enlarge(2), scale=2), CPU).restore(shown, **ask)
    factor = ask.get("scale", 1.5)
    size = (int(40 * factor + 0.5), int(30 * factor + 0.5))
    assert (restored.picture.height, restored.picture.width) == size
    twice = to_float(shown.pixels).repeat(2, 0).repeat(2, 1)
    expected = imresize(twice, size).clip(0, 1) * shown.full_scale
    # Half a level of final rounding, and at most one of 65535 for what is kept in between.
    assert np.abs(restored.picture.pixels - expected).max() <= (0.51 if dtype == np.uint8 else 1.5)


@pytest.mark.parametrize("ask", [{"scale": 0}, {"scale": float("nan")}, {"scale": -1}, {"size": (0, 5)}])
def test_impossible_sizes(load, ask):
    with pytest.raises(UsageError, match=r"impossible|empty"):
        Restorer.of(load(same), CPU).restore(picture(), **ask)


def test_alpha_is_enlarged_beside_the_colour_and_else_untouched(load):
    alpha = rng.integers(0, 2, (8, 6), dtype=np.uint8) * 255
    shown = picture(8, 6, alpha=alpha)
    kept = Restorer.of(load(same), CPU).restore(shown).picture
    np.testing.assert_array_equal(kept.alpha, alpha)
    larger = Restorer.of(load(enlarge(3), scale=3), CPU).restore(shown).picture
    np.testing.assert_array_equal(larger.alpha, resized_alpha(alpha, (24, 18)))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("colour", ["y", "gray", "rgb"])
def test_soft_alpha_goes_through_the_network_and_flat_parts_stay(load, colour, dtype):
    full = np.iinfo(dtype).max
    alpha = np.zeros((8, 12), dtype)
    alpha[:, 4:8], alpha[:, 8:] = full // 3, full
    alpha[3, 3], alpha[5, 8] = full // 9, full // 2
    network = load(lambda x: enlarge(2)(x) * 0.9, colour=colour, scale=2)
    made = Restorer.of(network, CPU).restore(picture(8, 12, dtype=dtype, alpha=alpha)).picture.alpha
    assert made.dtype == dtype
    assert (made[:, :6] == 0)[:2].all() and (made[:2, 17:] == full).all()
    assert made[6, 6] == pytest.approx(0.9 * (full // 9), abs=1)


def test_a_soft_disc_is_as_good_as_the_network_makes_it():
    y, x = np.mgrid[:384, :384]
    large = np.clip((150 - np.hypot(x - 191.5, y - 191.5)) / 2 + 0.5, 0, 1) * 255
    large = (large + 0.5).astype(np.uint8)
    alpha = imresize(large, (96, 96))
    (weights,) = (one for one in catalog() if one.name == "compact-sr-x4")
    restorer = Restorer.of(load_weights(weights), CPU)
    made = restorer.restore(Picture(np.full((96, 96, 3), 120, np.uint8), alpha=alpha)).picture
    assert (made.pixels.shape, made.alpha.shape) == ((384, 384, 3), (384, 384))

    def error(result):
        return np.square(result.astype(float) - large).mean()

    assert error(made.alpha) < error(resized_alpha(alpha, (384, 384))) / 2
    assert set(made.alpha[:40, :40].ravel()) == {0} and set(made.alpha[160:220, 160:220].ravel()) == {255}


def test_hidden_colours_never_reach_the_network(load):
    pixels = np.full((20, 20, 3), 200, np.uint8)
    alpha = np.full((20, 20), 255, np.uint8)
    pixels[:, 12:] = 0
    alpha[:, 12:] = 0
    net = load(lambda x: F.avg_pool2d(F.pad(x, (2, 2, 2, 2), "replicate"), 5, 1))
    restored = Restorer.of(net, CPU).restore(Picture(pixels, alpha))
    np.testing.assert_array_equal(restored.picture.pixels, 200)


@pytest.mark.parametrize(("kind", "value", "given"), [("sigma", 25, 25 / 255), ("quality", 40, 0.4)])
def test_conditions_arrive_in_the_networks_units(load, kind, value, given):
    net = load(same, condition=kind)
    Restorer.of(net, CPU).restore(picture(), condition=value)
    condition = net.module.seen[0][1]
    assert condition.shape == (1, 1, 1, 1)
    assert condition.dtype == torch.float32
    assert condition.item() == pytest.approx(given)


@pytest.mark.parametrize(
    ("kind", "value"),
    [("sigma", None), ("sigma", 300), ("quality", 0), ("quality", float("nan")), (None, 25)],
)
def test_missing_impossible_and_superfluous_conditions(load, kind, value):
    with pytest.raises(UsageError, match="model fake"):
        Restorer.of(load(same, condition=kind), CPU).restore(picture(), condition=value)


def test_value_range_and_choice_of_output(load):
    net = load(lambda x: [x * 0, x + 25.5], value_range=255.0, output=1)
    shown = Picture(np.full((4, 4, 3), 102, np.uint8))
    restored = Restorer.of(net, CPU).restore(shown)
    assert net.module.seen[0][0].max().item() == pytest.approx(102)
    np.testing.assert_array_equal(restored.picture.pixels, 128)  # 127.5 rounded half up


def test_the_ensemble_averages_and_keeps_the_multiple(load):
    net = load(lambda x: x + torch.linspace(-0.1, 0.1, x.shape[3]), multiple=8)
    shown = picture(24, 21)
    once, often = (Restorer.of(net, replace(CPU, ensemble=on)).restore(shown) for on in (False, True))
    assert (once.picture.pixels != shown.pixels).any()
    np.testing.assert_array_equal(often.picture.pixels, shown.pixels)
    assert len(net.module.seen) == 9
    assert all(x.shape[2] % 8 == x.shape[3] % 8 == 0 for (x,) in net.module.seen)


def test_a_tiled_ensemble_is_the_whole_one(load):
    conv = nn.Conv2d(3, 3, 3, padding=1, bias=False)
    nn.init.dirac_(conv.weight)
    conv.weight.data += 0.02 * torch.randn_like(conv.weight)
    x = rng.random((50, 41, 3)).astype(np.float32)
    whole, tiled = (
        Restorer.of(load(conv, halo=1), replace(CPU, tile=tile, ensemble=True)).restore_plane(x)
        for tile in (0, 16)
    )
    np.testing.assert_allclose(whole, tiled, atol=1e-6)


def test_a_plane_is_neither_clipped_nor_rounded(load):
    x = rng.normal(size=(11, 13, 1)).astype(np.float32)
    net = load(lambda x: enlarge(2)(x) * 1.01, colour="y", scale=2, multiple=4)
    result = Restorer.of(net, replace(CPU, tile=4)).restore_plane(x)
    np.testing.assert_allclose(result, 1.01 * x.repeat(2, 0).repeat(2, 1), rtol=1e-6)


def test_progress_counts_tiles(load):
    calls = []
    Restorer.of(load(same), replace(CPU, tile=16)).restore(
        picture(32, 40), on_tile=lambda done, of: calls.append((done, of))
    )
    assert calls == [(n, 6) for n in range(1, 7)]


@pytest.mark.parametrize("size", [None, (60, 90)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3])
def test_bands_make_the_picture_whole(load, size, dtype, channels):
    shown = picture(40, 30, channels, dtype, alpha=rng.integers(0, 256, (40, 30)).astype(dtype))
    restorer = Restorer.of(load(enlarge(2), scale=2, halo=2), replace(CPU, tile=16))
    whole = restorer.restore(shown, size=size)
    bands = list(restorer.bands(shown, size=size))
    outline = restorer.outline(shown, size)
    assert restorer.info.tiles == whole.tiles == 6
    assert len(bands) == (3 if size is None else 1)
    assert (outline.pixels.shape, outline.pixels.dtype) == (whole.picture.pixels.shape, dtype)
    assert outline.metadata == whole.picture.metadata
    np.testing.assert_array_equal(np.concatenate([band.pixels for band in bands]), whole.picture.pixels)
    np.testing.assert_array_equal(np.concatenate([band.alpha for band in bands]), whole.picture.alpha)


def test_the_loaded_network_is_left_as_it_was(load):
    conv = nn.Conv2d(3, 3, 3, padding=1)
    nn.init.dirac_(conv.weight)
    nn.init.zeros_(conv.bias)
    net = load(conv)
    Restorer.of(net, CPU).restore(picture())
    assert conv.weight.is_contiguous()
    assert conv.weight.dtype == torch.float32


def test_sizes_in_the_metadata_follow_the_picture(load):
    exif = Image.Exif()
    exif[0x8769] = {0xA002: 30, 0xA003: 40}  # PixelXDimension, PixelYDimension
    net = load(enlarge(2), scale=2)
    shown = picture(metadata=Metadata(exif=exif.tobytes()))
    told = Image.Exif()
    told.load(Restorer.of(net, CPU).restore(shown).picture.metadata.exif)
    details = told.get_ifd(0x8769)
    assert (details[0xA002], details[0xA003]) == (60, 80)


def test_a_network_sees_its_pattern_whatever_the_pictures_is_and_the_size_stays(load):
    seen = []

    def network(x):
        if x.device.type != "meta":
            seen.append(x)
        return x + 0.25

    mosaic = thinned(np.full((37, 45, 3), 100, np.uint8), "rggb")
    alpha = np.zeros((37, 45), np.uint8)
    picture = Picture(mosaic, alpha=alpha, metadata=Metadata(dpi=(72, 72)))
    made = Restorer.of(load(network, multiple=2, task="demosaic"), CPU).restore(picture).picture
    assert np.array_equal(made.pixels, mosaic + 64)
    assert np.array_equal(made.alpha, alpha)
    assert made.metadata.dpi == (72, 72)
    (x,) = seen
    assert x.shape[2] % 2 == x.shape[3] % 2 == 0
    green, red, blue = x[0, 1, ::2, ::2], x[0, 0, ::2, 1::2], x[0, 2, 1::2, ::2]
    for samples in (green, red, blue, x[0, 1, 1::2, 1::2]):
        torch.testing.assert_close(samples, torch.full_like(samples, 100 / 255))


def test_a_full_result_of_a_bright_mosaic_is_no_shift_of_colour_and_a_dark_one_is(load):
    mosaic = Picture(thinned(np.full((24, 30, 3), 200, np.uint8), "grbg"))
    for level, accepted in ((200 / 255, True), (0.3, False)):
        net = load(lambda x, level=level: torch.full_like(x, level), task="demosaic", multiple=2)
        restorer = Restorer.of(net, CPU)
        if accepted:
            assert (restorer.restore(mosaic).picture.pixels == 200).all()
        else:
            with pytest.raises(RestoreError, match="shifted in colour"):
                restorer.restore(mosaic)


def test_what_was_done_is_told_at_another_size_too(load):
    net = load(enlarge(2), scale=2, halo=2, tiling="approximate")
    restored = Restorer.of(net, replace(CPU, tile=16)).restore(picture(40, 30), scale=1.5)
    assert restored.tiles == 6
    assert "depends on the tiles" in restored.warnings[0]
    assert Restorer.of(net, CPU).restore(picture(40, 30), scale=1.5).tiles == 1


def rolled(shown, rows, columns):
    alpha = None if shown.alpha is None else np.roll(shown.alpha, (rows, columns), (0, 1))
    return replace(shown, pixels=np.roll(shown.pixels, (rows, columns), (0, 1)), alpha=alpha)


@pytest.mark.parametrize(
    ("name", "factor", "options"),
    [
        ("compact-sr-x2", 2, {}),
        ("compact-sr-x2", 1.5, {}),
        ("compact-sr-x2", 2, {"strength": 0.5}),
        ("unet-denoise-rgb", 1, {"condition": 25.0}),
    ],
)
def test_a_seamless_texture_stays_seamless(name, factor, options):
    """Rolling the picture rolls the result: no border is left."""
    rows, columns = np.mgrid[:48, :64] * 2 * np.pi / np.array([48, 64]).reshape(2, 1, 1)
    waves = 128 + 40 * np.sin(3 * rows + columns) + 40 * np.sign(np.sin(2 * columns))
    waves = waves + rng.uniform(-40, 40, waves.shape)
    shown = Picture(np.repeat(waves[..., None], 3, 2).astype(np.uint8), alpha=waves.astype(np.uint8))
    weights = next(one for one in catalog() if one.name == name)
    restorer = Restorer.of(load_weights(weights), CPU)
    size = round(64 * factor), round(48 * factor)

    def result(given, wrap):
        bands = list(restorer.bands(given, size=size, wrap=wrap, **options))
        assert bands[0].metadata == given.metadata
        parts = ("pixels", "alpha")
        return [np.concatenate([getattr(band, part) for band in bands]) for part in parts]

    def step(wrap):
        found = result(rolled(shown, 16, 24), wrap)
        by = round(16 * factor), round(24 * factor)
        wanted = (np.roll(one, by, (0, 1)) for one in result(shown, wrap))
        return max(np.abs(a.astype(int) - b).max() for a, b in zip(found, wanted, strict=True))

    assert step(wrap=True) <= 1
    assert step(wrap=False) > 2


def test_a_mosaic_that_wraps_keeps_its_pattern():
    weights = next(one for one in catalog() if one.task == "demosaic")
    restorer = Restorer.of(load_weights(weights), CPU)
    full = np.tile(rng.integers(40, 200, (4, 4, 3), dtype=np.uint8), (4, 4, 1)).repeat(2, 0).repeat(2, 1)
    mosaic = Picture(thinned(full, "rggb"))
    (band,) = restorer.bands(mosaic, wrap=True)
    (other,) = restorer.bands(rolled(mosaic, 8, 16), wrap=True)
    assert np.abs(np.roll(band.pixels, (8, 16), (0, 1)).astype(int) - other.pixels).max() <= 1
    with pytest.raises(UsageError, match="odd"):
        list(restorer.bands(Picture(mosaic.pixels[:-1]), wrap=True))
