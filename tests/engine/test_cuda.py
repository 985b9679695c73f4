"""What only an NVIDIA GPU can show; `benchmarks/gpu.py` runs these too."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from small_networks import SMALL
from torch import nn

from enhance_cli.arch.registry import ARCHITECTURES
from enhance_cli.checkpoints.catalog import catalog
from enhance_cli.checkpoints.reader import load_weights
from enhance_cli.engine import check
from enhance_cli.engine.restorer import Restorer
from enhance_cli.engine.settings import EngineSettings
from enhance_cli.imaging.colour import to_float
from enhance_cli.imaging.picture import Picture

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA GPU")
CPU = EngineSettings(device="cpu", backend="torch")
GPU = replace(CPU, device="cuda")


def picture(height, width, channels=3):
    """Waves and noise."""
    rows, columns = np.mgrid[:height, :width] / 32
    noise = np.random.default_rng(0).normal(0, 9, (height, width, channels))
    return Picture((120 + 60 * np.sin(rows**2 + columns)[..., None] + noise).clip(0, 255).astype(np.uint8))


def condition(spec):
    return {"sigma": 25.0, "quality": 30.0, None: None}[spec.condition]


@pytest.mark.parametrize("tile", [0, 32])
@pytest.mark.parametrize("name", SMALL)
def test_every_network_gives_in_float32_what_the_cpu_gives(name, tile, load, monkeypatch):
    monkeypatch.setattr(check, "fault_of", lambda x, y, task: None)
    entry, parameters = ARCHITECTURES[name], SMALL[name][0]
    net = load(entry.build(**parameters), entry.spec(**parameters))
    shown, scale = picture(150, 130), 2.0 if net.spec.pre_upsampled else None
    pixels = [
        Restorer.of(net, replace(settings, precision="float32", tile=tile))
        .restore(shown, condition=condition(net.spec), scale=scale)
        .picture.pixels.astype(int)
        for settings in (CPU, GPU)
    ]
    assert np.abs(pixels[0] - pixels[1]).max() <= 1


@pytest.mark.parametrize("weights", catalog(), ids=lambda weights: weights.name)
def test_shipped_weights_lose_nothing_in_the_precision_that_is_taken_unasked(weights):
    net = load_weights(weights)
    shown = picture(96, 80, 3 if net.spec.colour == "rgb" else 1)
    restorers = [Restorer.of(net, replace(GPU, precision=precision)) for precision in ("float32", "auto")]
    full, reduced = (one.restore_plane(to_float(shown.pixels), condition(net.spec)) for one in restorers)
    assert restorers[1].runtime.precision != "float32"
    # 60 dB: a result of 40 dB loses 0.04 dB, one of 32 dB 0.007.
    assert np.mean((full - reduced) ** 2) < 1e-6


def test_memory_that_runs_out_makes_tiles_smaller(load):
    conv = nn.Conv2d(1, 64, 3, padding=1, bias=False)
    nn.init.constant_(conv.weight, 1 / 9)
    net = load(nn.Sequential(conv, nn.AvgPool3d((64, 1, 1))), colour="gray", halo=1)
    shown = picture(2048, 2048, 1)
    expected = Restorer.of(net, replace(CPU, tile=256)).restore(shown).picture.pixels.astype(int)
    torch.cuda.empty_cache()
    whole = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction((600 << 20) / whole)
    try:
        restored = Restorer.of(net, replace(GPU, precision="float32", tile=0)).restore(shown)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert restored.tiles > 1
    assert "out of memory on cuda" in restored.warnings[0]
    assert np.abs(restored.picture.pixels - expected).max() <= 1
