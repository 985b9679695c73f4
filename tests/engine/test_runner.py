from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from enhance_cli.engine import runner as runner_module
from enhance_cli.engine.backends.eager import EagerBackend
from enhance_cli.engine.device import Runtime
from enhance_cli.engine.restorer import Restorer
from enhance_cli.engine.runner import Runner
from enhance_cli.engine.settings import EngineSettings
from enhance_cli.engine.tiles import Box
from enhance_cli.errors import RestoreError
from enhance_cli.imaging.picture import Picture

CPU = EngineSettings(device="cpu")
GRAY = Picture(np.full((300, 200, 1), 90, np.uint8))


FULL = RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 GB")


def fits(side, error=FULL):
    def run(x):
        if max(x.shape[2:]) > side:
            raise error
        return x

    return run


@pytest.mark.parametrize(
    "error",
    [
        FULL,
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate"),
        RuntimeError("MPS backend out of memory"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        MemoryError(),
    ],
)
def test_out_of_memory_makes_tiles_smaller_and_is_remembered(load, error):
    restorer = Restorer(load(fits(100, error), colour="gray"), CPU)
    first = restorer.restore(GRAY)
    np.testing.assert_array_equal(first.picture.pixels, GRAY.pixels)
    assert first.tiles == 12  # 300 -> 150 -> 75
    assert [warning.split(":")[0] for warning in first.warnings] == [
        "out of memory on cpu with tiles of 300",
        "out of memory on cpu with tiles of 150",
    ]
    seen = len(restorer.net.module.seen)
    second = restorer.restore(GRAY)
    assert (second.tiles, second.warnings) == (12, ())
    assert len(restorer.net.module.seen) == seen + 12


def test_rows_that_are_through_are_not_done_again(load):
    pixels = np.random.default_rng(0).integers(0, 256, GRAY.pixels.shape, dtype=np.uint8)
    seen, bands = [], []

    def tight(x):
        seen.append(x.shape[2])
        if len(seen) >= 4 and x.shape[2] > 70:
            raise FULL
        return x

    restorer = Restorer(load(tight, colour="gray"), replace(CPU, tile=128))
    restorer.restore_bands(Picture(pixels), bands.append)
    # Two rows of two tiles of 100, the second not to its end; then of four of 60, of which one is through.
    assert [band.height for band in bands] == [101, 20, 60, 58, 61]
    assert len(seen) == 2 + 2 + 4 * 4
    np.testing.assert_array_equal(np.concatenate([band.pixels for band in bands]), pixels)


def test_a_tile_that_was_asked_for_shrinks_too(load):
    assert Restorer(load(fits(140), colour="gray"), replace(CPU, tile=256)).restore(GRAY).tiles == 6


@pytest.mark.parametrize("tiling", ["exact", "whole"])
def test_when_nothing_is_left_to_shrink_the_picture_fails(load, tiling):
    restorer = Restorer(load(fits(1), colour="gray", tiling=tiling), CPU)
    with pytest.raises(RestoreError, match="out of memory on cpu"):
        restorer.restore(GRAY)


def test_other_errors_are_not_swallowed(load):
    with pytest.raises(RuntimeError, match="shapes"):
        Restorer(load(fits(1, RuntimeError("shapes")), colour="gray"), CPU).restore(GRAY)


@pytest.mark.parametrize(("device", "ends"), [("auto", "cpu"), ("cuda", None)])
def test_only_auto_goes_to_the_cpu(load, monkeypatch, device, ends):
    restorer = Restorer(load(lambda x: x, colour="gray"), CPU)
    runner = restorer._runner
    runner._settings = EngineSettings(device=device)
    runner.runtime = Runtime(torch.device("cuda"), torch.bfloat16, "torch")
    restore = runner._restore

    def without_gpu(*arguments):
        if runner.runtime.device.type == "cuda":
            raise torch.OutOfMemoryError("CUDA out of memory")
        return restore(*arguments)

    monkeypatch.setattr(runner, "_restore", without_gpu)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    if ends is None:
        with pytest.raises(RestoreError, match="cuda"):
            restorer.restore(GRAY)
        return
    restored = restorer.restore(GRAY)
    assert (restored.device, restored.precision, restored.tiles) == ("cpu", "float32", 1)
    assert "on the CPU from now on" in restored.warnings[-1]
    assert restorer.restore(GRAY).warnings == ()


def at_once(most):
    """Batches as on a GPU; runner._most, which shrinks when memory runs out, holds too."""
    return lambda runner, padded, count: min(count, most, runner._most)


def sizes(net):
    return [len(x) for x, *_ in net.module.seen]


@pytest.mark.parametrize("ensemble", [False, True])
def test_several_tiles_at_once_give_what_one_after_the_other_gives(load, monkeypatch, ensemble):
    shown = Picture(np.random.default_rng(0).integers(0, 65536, (100, 130, 3), np.uint16))
    settings = replace(CPU, tile=32, ensemble=ensemble)
    conv = nn.Conv2d(3, 3, 3, padding=1, bias=False)
    nn.init.uniform_(conv.weight, 0, 2 / 27)
    net = load(conv)
    one_by_one = Restorer(net, settings).restore(shown)
    monkeypatch.setattr(Runner, "_at_once", at_once(5))
    several = Restorer(net, settings).restore(shown)
    assert np.abs(several.picture.pixels.astype(int) - one_by_one.picture.pixels).max() <= 1
    assert several.tiles == one_by_one.tiles == 16


def test_planes_and_tiles_share_a_batch_and_each_is_told_the_strength(load, monkeypatch):
    monkeypatch.setattr(Runner, "_at_once", at_once(4))
    net = load(lambda x, level: x, colour="gray", condition="sigma")
    shown = Picture(np.full((60, 128, 3), 90, np.uint8))
    Restorer(net, replace(CPU, tile=64)).restore(shown, condition=51)
    assert [(len(x), level.flatten().tolist()) for x, level in net.module.seen] == [
        (4, pytest.approx([0.2] * 4)),
        (2, pytest.approx([0.2] * 2)),
    ]


@pytest.mark.parametrize(
    ("device", "tiles", "expected"),
    [("cpu", 99, 1), ("cuda", 1, 1), ("cuda", 3, 3), ("cuda", 99, 16), ("mps", 99, 16)],
)
def test_a_gpu_takes_as_many_tiles_as_fit_and_a_cpu_one(load, device, tiles, expected):
    net = load(nn.Conv2d(1, 64, 3, padding=1), colour="gray")
    runner = Runner(net, CPU)
    runner.runtime = replace(runner.runtime, device=torch.device(device))
    runner._backend = EagerBackend(net, runner.runtime.device)
    assert runner._at_once(Box(0, 0, 128, 128), tiles) == expected
    if device != "cpu":
        assert runner._at_once(Box(0, 0, 1024, 1024), tiles) == min(tiles, 4)
        assert runner._at_once(Box(0, 0, 9000, 9000), tiles) == 1


def test_out_of_memory_makes_batches_smaller_before_tiles(load, monkeypatch):
    def run(x):
        if len(x) > 2:
            raise FULL
        return x

    monkeypatch.setattr(Runner, "_at_once", at_once(8))
    net = load(run, colour="gray")
    restorer = Restorer(net, replace(CPU, tile=64))
    first, second = restorer.restore(GRAY), restorer.restore(GRAY)
    np.testing.assert_array_equal(first.picture.pixels, GRAY.pixels)
    assert first.warnings == (
        "out of memory on cpu with 8 tiles at once: 4 from now on",
        "out of memory on cpu with 4 tiles at once: 2 from now on",
    )
    assert (first.tiles, second.tiles, second.warnings) == (20, 20, ())
    assert sizes(net) == [8, 4] + [2] * 20


def test_memory_that_ran_out_before_the_network_ran_ends_too(load, monkeypatch):
    monkeypatch.setattr(Runner, "_at_once", at_once(8))

    def send(*arguments):
        raise FULL

    restorer = Restorer(load(lambda x: x, colour="gray"), replace(CPU, tile=64))
    restorer.restore(GRAY)
    monkeypatch.setattr(runner_module, "send", send)
    with pytest.raises(RestoreError, match="out of memory on cpu"):
        restorer.restore(GRAY)


def test_only_the_unusable_tile_of_a_batch_is_redone(load, monkeypatch):
    class FailsOnce(FailsInHalf):
        def forward(self, x):
            y = super().forward(x)
            return torch.where((x.mean((1, 2, 3)) > 0.5)[:, None, None, None], y, x)

    pixels = np.full((128, 256, 1), 90, np.uint8)
    pixels[:, 200:] = 255
    monkeypatch.setattr(Runner, "_at_once", at_once(8))
    settings = replace(CPU, precision="bfloat16", tile=64)
    restored = Restorer(load(FailsOnce(), colour="gray", halo=0), settings).restore(Picture(pixels))
    np.testing.assert_array_equal(restored.picture.pixels, pixels)
    assert (restored.tiles, len(restored.warnings)) == (8, 1)
    assert restored.warnings[0].startswith("2 tiles were unusable")


class FailsInHalf(nn.Module):
    """A convolution whose result is unusable whenever autocast reduces it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 1, 3, padding=1)
        nn.init.dirac_(self.conv.weight)
        nn.init.zeros_(self.conv.bias)

    def forward(self, x):
        y = self.conv(x)
        return y * float("nan") if y.dtype == torch.bfloat16 else y


def test_an_unusable_tile_is_redone_in_float32(load):
    settings = replace(CPU, precision="bfloat16", tile=150)
    restored = Restorer(load(FailsInHalf(), colour="gray"), settings).restore(GRAY)
    np.testing.assert_array_equal(restored.picture.pixels, GRAY.pixels)
    assert restored.precision == "bfloat16"
    assert restored.warnings == ("4 tiles were unusable in reduced precision: redone in float32",)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (lambda x: x / 0, "NaN or Inf"),
        (lambda x: x * 0, "black"),
        (lambda x: x + torch.tensor([0, 0.4, 0]).view(1, 3, 1, 1), "shifted in colour"),
    ],
)
def test_what_is_unusable_in_float32_fails_with_the_reason(load, bad, reason):
    with pytest.raises(RestoreError, match=reason) as caught:
        Restorer(load(bad), CPU).restore(GRAY)
    assert "fake" in str(caught.value)


def test_a_failed_picture_leaves_no_warnings_to_the_next(load):
    restorer = Restorer(load(FailsInHalf(), colour="gray"), replace(CPU, precision="bfloat16", tile=150))
    restorer._runner._redone = 9
    assert restorer.restore(GRAY).warnings[0].startswith("4 tiles")


def test_networks_that_average_warn_only_when_they_are_tiled(load):
    net = load(lambda x: x, colour="gray", tiling="approximate")
    (warning,) = Restorer(net, replace(CPU, tile=128)).restore(GRAY).warnings
    assert "depends on the tiles" in warning
    assert Restorer(net, CPU).restore(GRAY).warnings == ()


def test_what_is_cut_for_speed_alone_gives_the_same_result(load):
    torch.manual_seed(0)
    wide = nn.Sequential(nn.Conv2d(1, 128, 3, padding=1), nn.Conv2d(128, 1, 3, padding=1))
    shown = Picture(np.random.default_rng(0).integers(0, 256, (400, 400, 1), np.uint8))
    cut = Restorer(load(wide, colour="gray", halo=2), CPU).restore(shown)
    whole = Restorer(load(wide, colour="gray", halo=2), replace(CPU, tile=0)).restore(shown)
    assert (cut.tiles, whole.tiles) == (4, 1)
    assert np.abs(cut.picture.pixels.astype(int) - whole.picture.pixels).max() <= 1
    average = load(wide, colour="gray", halo=2, tiling="approximate")
    assert Restorer(average, CPU).restore(shown).tiles == 1


def test_networks_that_need_all_are_never_tiled(load):
    restored = Restorer(load(lambda x: x, colour="gray", tiling="whole"), replace(CPU, tile=64)).restore(GRAY)
    assert restored.tiles == 1
    assert "--tile had no effect" in restored.warnings[0]
