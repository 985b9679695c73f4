"""Tiles, batches and memory: what is given to a runtime, and what is made of what it says."""

import gc
from dataclasses import replace

import numpy as np
import pytest
import torch
from fake_networks import FakeRuntime
from torch import nn

from enhance_cli.engine import network
from enhance_cli.engine.restorer import Restorer
from enhance_cli.engine.settings import EngineSettings
from enhance_cli.errors import RestoreError, UsageError
from enhance_cli.imaging.picture import Picture
from enhance_cli.runtimes.contract import NetworkSource, OutOfMemoryError

CPU = EngineSettings(device="cpu")
AUTO = EngineSettings()
GRAY = Picture(np.full((300, 200, 1), 90, np.uint8))
TILE_AREA = 62 * 52
"""Of GRAY in tiles of 64, evened out, with a halo of 1."""
SOURCE = NetworkSource(name="fake", sha256="0" * 64, load=lambda: pytest.fail("nobody reads it"))


@pytest.fixture
def restorer(monkeypatch):
    """`restorer(runtime, ...)` restores with a FakeRuntime; others are taken when the engine opens more."""

    def make(*runtimes, settings=CPU, task="denoise"):
        opened = iter(runtimes)
        asked = []

        def open_runtime(source, settings):
            asked.append(settings)
            return next(opened)

        monkeypatch.setattr(network, "open_runtime", open_runtime)
        # A second or two each time, with all that the other tests have loaded.
        monkeypatch.setattr(gc, "collect", lambda: 0)
        made = Restorer(SOURCE, settings, task=task)
        made.asked = asked
        return made

    return make


def same(x):
    return x


def fits(side, error=OutOfMemoryError):
    def run(x):
        if max(x.shape[2:]) > side:
            raise error
        return x

    return run


@pytest.mark.parametrize("error", [OutOfMemoryError, MemoryError])
def test_out_of_memory_makes_tiles_smaller_and_is_remembered(restorer, error):
    runtime = FakeRuntime(fits(100, error))
    of_it = restorer(runtime)
    first = of_it.restore(GRAY)
    np.testing.assert_array_equal(first.picture.pixels, GRAY.pixels)
    assert first.tiles == 12  # 300 -> 150 -> 75
    assert [warning.split(":")[0] for warning in first.warnings] == [
        "out of memory on cpu with tiles of 300",
        "out of memory on cpu with tiles of 150",
    ]
    seen = len(runtime.seen)
    second = of_it.restore(GRAY)
    assert (second.tiles, second.warnings) == (12, ())
    assert len(runtime.seen) == seen + 12


def test_rows_that_are_through_are_not_done_again(restorer):
    pixels = np.random.default_rng(0).integers(0, 256, GRAY.pixels.shape, dtype=np.uint8)
    seen = []

    def tight(x):
        seen.append(x.shape[2])
        if len(seen) >= 4 and x.shape[2] > 70:
            raise OutOfMemoryError
        return x

    of_it = restorer(FakeRuntime(tight), settings=replace(CPU, tile=128))
    bands = list(of_it.bands(Picture(pixels)))
    # Two rows of two tiles of 100, the second not to its end; then of four of 60, of which one is through.
    assert [band.height for band in bands] == [101, 20, 60, 58, 61]
    assert len(seen) == 2 + 2 + 4 * 4
    np.testing.assert_array_equal(np.concatenate([band.pixels for band in bands]), pixels)


def test_a_tile_that_was_asked_for_shrinks_too(restorer):
    assert restorer(FakeRuntime(fits(140)), settings=replace(CPU, tile=256)).restore(GRAY).tiles == 6


@pytest.mark.parametrize("tiling", ["exact", "whole"])
def test_when_nothing_is_left_to_shrink_the_picture_fails(restorer, tiling):
    with pytest.raises(RestoreError, match="out of memory on cpu"):
        restorer(FakeRuntime(fits(1), tiling=tiling)).restore(GRAY)


def test_tiles_fit_the_memory_that_they_may_take(restorer):
    sides = []

    def seen(x):
        sides.append(x.shape[2])
        return x

    roomy = FakeRuntime(seen, most=300**2)
    whole = restorer(roomy, settings=replace(CPU, tile_bytes=2 << 30)).restore(GRAY)
    assert (whole.tiles, max(sides)) == (1, 300)
    sides.clear()
    tiled = restorer(roomy, settings=replace(CPU, tile_bytes=(2 << 30) // 9)).restore(GRAY)
    assert max(sides) <= 100
    np.testing.assert_array_equal(tiled.picture.pixels, whole.picture.pixels)


def test_other_errors_are_not_swallowed(restorer):
    with pytest.raises(RuntimeError, match="shapes"):
        restorer(FakeRuntime(fits(1, RuntimeError("shapes")))).restore(GRAY)


def test_a_negative_tile_names_its_flag(restorer):
    with pytest.raises(UsageError, match="--tile"):
        restorer(FakeRuntime(same), settings=replace(CPU, tile=-1))


@pytest.mark.parametrize(("device", "ends"), [("auto", "cpu"), ("cuda", None)])
def test_only_auto_goes_to_the_cpu(restorer, device, ends):
    gpu = FakeRuntime(fits(1), device="cuda", precision="bfloat16")
    of_it = restorer(gpu, FakeRuntime(same), settings=EngineSettings(device=device))
    if ends is None:
        with pytest.raises(RestoreError, match="cuda"):
            of_it.restore(GRAY)
        return
    restored = of_it.restore(GRAY)
    assert (restored.device, restored.precision, restored.tiles) == ("cpu", "float32", 1)
    assert (of_it.asked[1].device, of_it.asked[1].precision) == ("cpu", "float32")
    assert "on the CPU from now on" in restored.warnings[-1]
    assert of_it.restore(GRAY).warnings == ()


def sizes(runtime):
    return [len(x) for x, _ in runtime.seen]


@pytest.mark.parametrize("ensemble", [False, True])
def test_several_tiles_at_once_give_what_one_after_the_other_gives(restorer, ensemble):
    shown = Picture(np.random.default_rng(0).integers(0, 65536, (100, 130, 1), np.uint16))

    def blurred(x):
        padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
        return 0.5 * x + 0.3 * padded[..., 2:, 1:-1] + 0.2 * padded[..., 1:-1, :-2]

    settings = replace(CPU, tile=32, ensemble=ensemble)
    one_by_one = restorer(FakeRuntime(blurred), settings=settings).restore(shown)
    gpu = FakeRuntime(blurred, device="cuda", most=5 * 34 * 35)
    several = restorer(gpu, settings=settings).restore(shown)
    assert max(sizes(gpu)) > 1
    np.testing.assert_array_equal(several.picture.pixels, one_by_one.picture.pixels)
    assert several.tiles == one_by_one.tiles == 16


def test_planes_and_tiles_share_a_batch_which_is_told_the_condition(restorer):
    gpu = FakeRuntime(same, device="cuda", condition="sigma", most=4 * 60 * 66)
    shown = Picture(np.full((60, 128, 3), 90, np.uint8))
    restorer(gpu, settings=replace(CPU, tile=64)).restore(shown, condition=51)
    assert [(len(x), condition) for x, condition in gpu.seen] == [
        (4, pytest.approx(0.2)),
        (2, pytest.approx(0.2)),
    ]


@pytest.mark.parametrize(
    ("device", "most", "expected"),
    [
        ("cpu", 1 << 30, [1] * 20),
        ("cuda", 1 << 30, [16, 4]),
        ("mps", 1 << 30, [16, 4]),
        ("cuda", 3 * TILE_AREA, [3] * 6 + [2]),
        ("cuda", 1, [1] * 20),
    ],
)
def test_a_gpu_takes_as_many_tiles_as_fit_and_a_cpu_one(restorer, device, most, expected):
    runtime = FakeRuntime(same, device=device, most=most)
    assert restorer(runtime, settings=replace(CPU, tile=64)).restore(GRAY).tiles == 20
    assert sizes(runtime) == expected


def test_out_of_memory_makes_batches_smaller_before_tiles(restorer):
    def run(x):
        if len(x) > 2:
            raise OutOfMemoryError
        return x

    gpu = FakeRuntime(run, device="cuda", most=8 * TILE_AREA)
    of_it = restorer(gpu, settings=replace(CPU, device="cuda", tile=64))
    first, second = of_it.restore(GRAY), of_it.restore(GRAY)
    np.testing.assert_array_equal(first.picture.pixels, GRAY.pixels)
    assert first.warnings == (
        "out of memory on cuda with 8 tiles at once: 4 from now on",
        "out of memory on cuda with 4 tiles at once: 2 from now on",
    )
    assert (first.tiles, second.tiles, second.warnings) == (20, 20, ())
    assert sizes(gpu) == [8, 4] + [2] * 20


def test_memory_that_ran_out_before_the_network_ran_ends_too(restorer, monkeypatch):
    gpu = FakeRuntime(same, device="cuda")
    of_it = restorer(gpu, settings=replace(CPU, device="cuda", tile=64))
    of_it.restore(GRAY)
    monkeypatch.setattr(gpu, "function", fits(1))
    with pytest.raises(RestoreError, match="out of memory on cuda"):
        of_it.restore(GRAY)


def half(function, **entries):
    """A runtime whose results are unusable, and the one in float32 that the engine then asks for."""
    return FakeRuntime(function, precision="bfloat16", **entries), FakeRuntime(same, **entries)


def spoiled(x):
    return x * np.float32("nan")


def test_only_the_unusable_tile_of_a_batch_is_redone(restorer):
    def fails_where_bright(x):
        return np.where(x.mean((1, 2, 3), keepdims=True) > 0.5, spoiled(x), x)

    pixels = np.full((128, 256, 1), 90, np.uint8)
    pixels[:, 200:] = 255
    reduced, full = half(fails_where_bright, device="cuda", halo=0)
    of_it = restorer(reduced, full, settings=replace(CPU, device="cuda", tile=64))
    restored = of_it.restore(Picture(pixels))
    np.testing.assert_array_equal(restored.picture.pixels, pixels)
    assert (restored.tiles, sizes(reduced), sizes(full)) == (8, [8], [1, 1])
    assert restored.warnings == ("2 tiles were unusable: redone in float32",)
    assert (of_it.asked[1].precision, of_it.asked[1].device) == ("float32", "cuda")


def test_an_unusable_tile_is_redone_in_float32(restorer):
    of_it = restorer(*half(spoiled), settings=replace(CPU, tile=150))
    for _ in range(2):  # and leaves no warnings to the next picture
        restored = of_it.restore(GRAY)
        np.testing.assert_array_equal(restored.picture.pixels, GRAY.pixels)
        assert restored.precision == "bfloat16"
        assert restored.warnings == ("4 tiles were unusable: redone in float32",)
    assert len(of_it.asked) == 2


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (spoiled, "NaN or Inf"),
        (lambda x: x * 0, "black"),
        (lambda x: x + np.float32([0, 0.4, 0]).reshape(1, 3, 1, 1), "shifted in colour"),
    ],
)
def test_what_is_unusable_in_float32_fails_with_the_reason(restorer, bad, reason):
    with pytest.raises(RestoreError, match=reason) as caught:
        restorer(FakeRuntime(bad, colour="rgb")).restore(GRAY)
    assert "fake" in str(caught.value)
    assert "use another --model" in str(caught.value)


def tinted(x):
    return x + np.float32([0, 0.4, 0]).reshape(1, 3, 1, 1)


def test_what_looks_spoilt_is_written_all_the_same_if_asked_for(restorer):
    of_it = restorer(FakeRuntime(tinted, colour="rgb"), settings=replace(CPU, unchecked=True))
    restored = of_it.restore(Picture(GRAY.pixels.repeat(3, axis=2)))
    np.testing.assert_array_equal(restored.picture.pixels[0, 0], [90, 192, 90])
    (warning,) = restored.warnings
    assert "shifted" in warning and "--unchecked" in warning


def test_what_is_no_number_is_never_written(restorer):
    with pytest.raises(RestoreError, match="NaN") as caught:
        restorer(FakeRuntime(spoiled), settings=replace(CPU, unchecked=True)).restore(GRAY)
    assert "--unchecked" not in str(caught.value)


def test_one_spoilt_tile_is_enough(restorer):
    def black_where_bright(x):
        return np.where(x.mean((1, 2, 3), keepdims=True) > 0.5, x * 0, x)

    pixels = np.full((128, 256, 1), 90, np.uint8)
    pixels[:, 192:] = 200
    with pytest.raises(RestoreError, match="black"):
        restorer(FakeRuntime(black_where_bright, halo=0), settings=replace(CPU, tile=64)).restore(
            Picture(pixels)
        )


@pytest.mark.parametrize(("most", "redone"), [(1 << 20, True), (GRAY.height * GRAY.width - 1, False)])
def test_networks_that_average_are_redone_with_the_whole_picture_if_memory_allows(restorer, most, redone):
    def averages(x):
        return x if x.shape[2:] == GRAY.pixels.shape[:2] else x * 0

    runtimes = [FakeRuntime(averages, tiling="approximate", most=most) for _ in range(2)]
    of_it = restorer(*runtimes, settings=replace(CPU, tile=150))
    if not redone:
        with pytest.raises(RestoreError, match="black"):
            of_it.restore(GRAY)
        return
    restored = of_it.restore(GRAY)
    np.testing.assert_array_equal(restored.picture.pixels, GRAY.pixels)
    assert "4 tiles were unusable: redone in float32" in restored.warnings


def test_networks_that_average_warn_only_when_they_are_tiled(restorer):
    runtime = FakeRuntime(same, tiling="approximate")
    (warning,) = restorer(runtime, settings=replace(CPU, tile=128)).restore(GRAY).warnings
    assert "depends on the tiles" in warning
    assert restorer(runtime).restore(GRAY).warnings == ()


def test_what_is_cut_for_speed_alone_gives_the_same_result(load):
    torch.manual_seed(0)
    wide = nn.Sequential(nn.Conv2d(1, 128, 3, padding=1), nn.Conv2d(128, 1, 3, padding=1))
    shown = Picture(np.random.default_rng(0).integers(0, 256, (400, 400, 1), np.uint8))
    # What random weights make of a picture is nobody's business.
    settings = replace(CPU, backend="torch", unchecked=True)
    net = load(wide, colour="gray", halo=2)
    cut = Restorer.of(net, settings).restore(shown)
    whole = Restorer.of(net, replace(settings, tile=0)).restore(shown)
    assert (cut.tiles, whole.tiles) == (4, 1)
    assert np.abs(cut.picture.pixels.astype(int) - whole.picture.pixels).max() <= 1
    average = load(wide, colour="gray", halo=2, tiling="approximate")
    assert Restorer.of(average, settings).restore(shown).tiles == 1


def test_networks_that_need_all_are_never_tiled(restorer):
    runtime = FakeRuntime(same, tiling="whole")
    restored = restorer(runtime, settings=replace(CPU, tile=64)).restore(GRAY)
    assert restored.tiles == 1
    assert "--tile had no effect" in restored.warnings[0]
