import numpy as np
import pytest
import torch
from PIL import Image

from enhance_cli.arch.contract import ArchSpec
from enhance_cli.errors import UsageError
from enhance_cli.train import pairs
from enhance_cli.train.pairs import read_pairs

CPU = torch.device("cpu")
RNG = np.random.default_rng(0)


@pytest.fixture
def save(tmp_path):
    def write(name: str, pixels: np.ndarray) -> None:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.astype(np.uint8)).save(path)

    return write


def noise(*shape: int) -> np.ndarray:
    return RNG.integers(0, 256, shape)


def test_the_middle_of_every_pair_is_used(save, tmp_path, monkeypatch):
    monkeypatch.setattr(pairs, "SIDE", 21)
    degraded, clean = noise(40, 30, 3), noise(80, 60, 3)
    save("blur/a.png", degraded)
    save("sharp/a.png", clean)
    (pair,) = read_pairs(tmp_path, ArchSpec(colour="rgb", scale=2, multiple=4, halo=1), CPU)
    assert torch.equal(pair.degraded[0], torch.from_numpy(degraded[10:30, 5:25]).permute(2, 0, 1).float())
    assert torch.equal(pair.clean[0], torch.from_numpy(clean[20:60, 10:50]).permute(2, 0, 1).float())
    assert pair.condition is None


def test_a_network_is_told_the_noise_that_there_is(save, tmp_path):
    clean = noise(32, 32, 3) // 2 + 60
    save("clean/a.png", clean)
    save("noisy/a.png", clean + RNG.normal(0, 12, clean.shape).round())
    (pair,) = read_pairs(tmp_path, ArchSpec(colour="gray", halo=1, condition="sigma"), CPU)
    assert pair.degraded.shape == (1, 1, 32, 32)
    # Luma of three independent noises.
    assert float(pair.condition) * 255 == pytest.approx(12 * 0.669, rel=0.1)


def test_pairs_are_spread_over_the_folder(save, tmp_path, monkeypatch):
    monkeypatch.setattr(pairs, "N_PAIRS", 3)
    for number in range(9):
        for folder in ("noisy", "clean"):
            save(f"{folder}/{number}.png", np.full((8, 8, 3), number))
    found = read_pairs(tmp_path, ArchSpec(colour="rgb", halo=1), CPU)
    assert [int(pair.clean[0, 0, 0, 0]) for pair in found] == [0, 3, 6]


@pytest.mark.parametrize(
    ("spec", "sizes", "word"),
    [
        (ArchSpec(colour="rgb", halo=1), {}, "must hold pictures"),
        (ArchSpec(colour="rgb", halo=1), {"noisy": 8}, "must hold pictures"),
        (ArchSpec(colour="rgb", halo=1), {"noisy": 8, "clean": 9}, "1 times as large"),
        (ArchSpec(colour="rgb", halo=1, condition="quality"), {"noisy": 8, "clean": 8}, "no quality"),
    ],
)
def test_pairs_that_do_not_fit(save, tmp_path, spec, sizes, word):
    for folder, side in sizes.items():
        save(f"{folder}/a.png", noise(side, side, 3))
    with pytest.raises(UsageError, match=word):
        read_pairs(tmp_path, spec, CPU)
