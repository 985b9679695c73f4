"""A tiny test set, tiny weights and a catalog that names them."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from enhance_cli.arch.compact import Compact
from enhance_cli.checkpoints import store
from enhance_cli.checkpoints.reader import save_file


def picture(seed: int, height: int = 37, width: int = 46, channels: int = 3) -> np.ndarray:
    """Smooth waves and an edge, (H, W, C) uint8."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width] / 12
    waves = [np.sin(x * rng.uniform(0.5, 2) + y * rng.uniform(0.5, 2)) for _ in range(channels)]
    levels = 128 + 90 * np.stack(waves, axis=2)
    levels[:, width // 2 :] -= 30
    return np.clip(levels, 0, 255).astype(np.uint8)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Sets of two pictures: Set5 (colour), Set12 (gray, under test/) and Mine (colour)."""
    for name, channels in (("set5", 3), ("test/Set12", 1), ("Mine", 3)):
        folder = tmp_path / "data" / name
        folder.mkdir(parents=True)
        for number in (2, 1):
            pixels = picture(number, channels=channels)
            Image.fromarray(pixels.squeeze()).save(folder / f"img_{number}.png")
    return tmp_path / "data"


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """Weights of a tiny x2 network that does little more than nearest-neighbour enlarging."""
    return _save(tmp_path / "tiny-x2.safetensors")


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A weights folder whose catalog holds one model, the default of sr x2; gives its name."""
    folder = tmp_path / "weights"
    folder.mkdir()
    path = _save(folder / "small-x2.safetensors")
    (folder / "catalog.toml").write_text(
        f"""
        [[weights]]
        name = "small-x2"
        file = "{path.name}"
        sha256 = "{store.sha256_of(path)}"
        arch = "compact"
        task = "sr"
        scale = 2
        colour = "rgb"
        tier = "default"
        licence = "MIT"
        parameters = 1
        summary = "For tests."
        """,
        encoding="utf-8",
    )
    monkeypatch.setattr(store, "weights_folder", lambda: folder)
    return "small-x2"


def _save(path: Path) -> Path:
    torch.manual_seed(0)
    parameters = {"scale": 2, "n_feats": 4, "n_blocks": 1}
    save_file(path, Compact(**parameters), arch="compact", parameters=parameters, task="sr", metadata={})
    return path
