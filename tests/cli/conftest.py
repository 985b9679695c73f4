"""Tiny networks saved as real weights files, small pictures, and the command run in this process."""

import io
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from enhance_cli.arch.registry import ARCHITECTURES
from enhance_cli.checkpoints import store
from enhance_cli.checkpoints.reader import save_file
from enhance_cli.cli.main import app

NETS = {
    "tiny-sr-x2": ("compact", {"scale": 2, "n_feats": 4, "n_blocks": 1}, "sr"),
    "tiny-sr-x3": ("compact", {"scale": 3, "n_feats": 4, "n_blocks": 1}, "sr"),
    "tiny-sr-gray-x2": ("compact", {"scale": 2, "n_feats": 4, "n_blocks": 1, "n_colours": 1}, "sr"),
    "tiny-dejpeg": ("unet", {"n_colours": 3, "n_feats": 4, "condition": "quality"}, "dejpeg"),
    "tiny-denoise": ("unet", {"n_colours": 3, "n_feats": 4, "condition": "sigma"}, "denoise"),
    "tiny-deblur": ("unet", {"n_colours": 3, "n_feats": 4}, "deblur"),
}
RANGES = {"tiny-dejpeg": (5, 60), "tiny-denoise": (0, 55)}


@dataclass(frozen=True)
class Outcome:
    code: int
    out: bytes
    err: str

    @property
    def events(self) -> list[dict]:
        return [json.loads(line) for line in self.out.splitlines()]

    def of(self, event: str) -> list[dict]:
        return [one for one in self.events if one["event"] == event]


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def shelf(tmp_path_factory) -> Path:
    """A weights folder with a catalog, as the package has one."""
    folder = tmp_path_factory.mktemp("weights")
    tables = []
    for name, (arch, parameters, task) in NETS.items():
        torch.manual_seed(0)
        architecture = ARCHITECTURES[arch]
        path = folder / f"{name}.safetensors"
        net, spec = architecture.build(**parameters), architecture.spec(**parameters)
        save_file(path, net, arch=arch, parameters=parameters, task=task, metadata={"licence": "MIT"})
        table = {
            "name": name,
            "file": path.name,
            "sha256": store.sha256_of(path),
            "arch": arch,
            "task": task,
            "scale": spec.scale,
            "colour": spec.colour,
            "tier": "default",
            "licence": "MIT",
            "parameters": 1,
            "summary": "A tiny network.",
        }
        if name in RANGES:
            table["condition_range"] = list(RANGES[name])
        lines = [f"{key} = {json.dumps(value)}" for key, value in table.items()]
        tables.append("\n".join(["[[weights]]", *lines]))
    (folder / "catalog.toml").write_text("\n\n".join(tables))
    (folder / "README.md").write_text(
        "# Cards\n\n## tiny-sr-x2\n\nMade of chance.\n\n![crops](tiny.webp)\n\n"
        "### Data\n\nNone.\n\n## other\n\nNo.\n"
    )
    return folder


@pytest.fixture
def enhance(shelf, monkeypatch, tmp_path):
    """`enhance(*arguments, stdin=b"")` runs the command in an empty folder, with the shelf as its weights."""
    monkeypatch.setattr(store, "weights_folder", lambda: shelf)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object, stdin: bytes | None = None) -> Outcome:
        result = CliRunner().invoke(app, [str(one) for one in arguments], input=stdin, prog_name="enhance")
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return Outcome(result.exit_code, result.stdout_bytes, result.stderr)

    return run


def pixels(width: int = 20, height: int = 16, seed: int = 0, channels: int = 3) -> np.ndarray:
    """Smooth colours with a little noise, far from black and white."""
    rng = np.random.default_rng(seed)
    ramp = np.linspace(60, 180, width)[None, :, None] + np.linspace(0, 20, height)[:, None, None]
    return (ramp + rng.uniform(-10, 10, (height, width, channels))).astype(np.uint8)


@pytest.fixture
def picture(tmp_path):
    """`picture(name, ...)` writes a small picture below the current folder; returns its path."""

    def make(
        name: str, width: int = 20, height: int = 16, *, seed: int = 0, gray: bool = False, **options
    ) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        array = pixels(width, height, seed, 1 if gray else 3)
        Image.fromarray(array[..., 0] if gray else array).save(path, **options)
        return path

    return make


@pytest.fixture
def size_of():
    """(width, height) of an encoded picture, given as bytes or path."""

    def measure(data: bytes | Path) -> tuple[int, int]:
        with Image.open(io.BytesIO(data) if isinstance(data, bytes) else data) as image:
            return image.size

    return measure
