"""A weights folder of the test's own, with one small network in it."""

import pytest
import torch

from enhance_cli.arch.registry import ARCHITECTURES
from enhance_cli.checkpoints import store
from enhance_cli.checkpoints.reader import save_file

PARAMETERS = {"n_colours": 1, "n_feats": 4, "n_layers": 3, "batch_norm": True}
TABLE = """
[[weights]]
name = "{name}"
file = "{file}"
sha256 = "{sha256}"
arch = "dncnn"
task = "denoise"
scale = 1
colour = "gray"
condition_range = [5, 50.5]
tier = "default"
licence = "MIT"
parameters = 200
summary = "for tests"
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "weights_folder", lambda: tmp_path)
    return tmp_path


@pytest.fixture
def write_catalog(folder):
    def write(*tables: str) -> None:
        (folder / store.CATALOG_NAME).write_text("\n".join(tables), encoding="utf-8")

    return write


@pytest.fixture
def table():
    """One valid [[weights]] table; keywords replace or (None) drop its lines."""

    def make(**changes) -> str:
        lines = TABLE.format(name="small", file="small.safetensors", sha256="0" * 64).splitlines()
        kept = [line for line in lines if line.split(" = ")[0] not in changes]
        return "\n".join(kept + [f"{key} = {value}" for key, value in changes.items() if value is not None])

    return make


@pytest.fixture
def module():
    torch.manual_seed(0)
    module = ARCHITECTURES["dncnn"].build(**PARAMETERS)
    module.train()(torch.rand(2, 1, 8, 8))  # so that BatchNorm has counted
    return module


@pytest.fixture
def saved(folder, module):
    """Path of the module's weights file."""
    path = folder / "small.safetensors"
    entries = {"licence": "MIT", "data": "random"}
    save_file(path, module, arch="dncnn", parameters=PARAMETERS, task="denoise", metadata=entries)
    return path
