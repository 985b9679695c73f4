"""Reference cases and key manifests of the published networks, read from the shared folder."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from torch import Tensor, nn


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(before)


@dataclass
class Case:
    """Weights, input and outputs of one network, produced by its authors' code."""

    config: dict
    tolerance: float
    tensors: dict[str, Tensor]

    @property
    def weights(self) -> dict[str, Tensor]:
        return {
            name.removeprefix("weights."): tensor
            for name, tensor in self.tensors.items()
            if name.startswith("weights.")
        }

    def check(self, output: Tensor, name: str = "output") -> None:
        expected = self.tensors[name]
        assert output.shape == expected.shape
        assert (output - expected).abs().max() <= self.tolerance * expected.abs().max()


@pytest.fixture
def case(shared: Path) -> Callable[[str], Case]:
    def load(name: str) -> Case:
        with safe_open(str(shared / "reference/cases" / f"{name}.safetensors"), "pt") as file:
            info = json.loads(file.metadata()["info"])
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        return Case(info["config"], info["suggested_tolerance_rel"], tensors)

    return load


@pytest.fixture
def manifest(shared: Path) -> Callable[[str], dict]:
    def load(name: str) -> dict:
        return json.loads((shared / "reference/manifests" / f"{name}.json").read_text())

    return load


@pytest.fixture
def check_manifest(manifest: Callable[[str], dict]) -> Callable[[str, Callable[[], nn.Module]], None]:
    """Builds without storage and compares names, shapes and the number of parameters."""

    def check(name: str, build: Callable[[], nn.Module]) -> None:
        published = manifest(name)
        with torch.device("meta"):
            module = build()
        shapes = {key: list(tensor.shape) for key, tensor in module.state_dict().items()}
        assert shapes == {key: shape for key, (shape, _) in published["keys"].items()}
        assert count(module) == published["total_parameters"]

    return check


@pytest.fixture
def count_parameters() -> Callable[[nn.Module], int]:
    return count


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
