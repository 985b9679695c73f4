"""Published key manifests and reference cases, as a checkpoint reader sees them."""

import json
from dataclasses import dataclass

import pytest
import torch
from safetensors import safe_open

from enhance_cli.arch.registry import ARCHITECTURES
from enhance_cli.checkpoints.layouts.contract import Recognised


@pytest.fixture
def manifest_tensors(shared):
    """Zeros under the keys and in the shapes of a published file, its "module." removed."""

    def make(name: str) -> dict[str, torch.Tensor]:
        keys = json.loads((shared / "reference/manifests" / f"{name}.json").read_text())["keys"]
        return {
            key.removeprefix("module."): torch.zeros(shape, dtype=getattr(torch, dtype))
            for key, (shape, dtype) in keys.items()
        }

    return make


@dataclass(frozen=True)
class ReferenceCase:
    """Input and outputs of the authors' code, and the weights that gave them."""

    config: dict
    tolerance: float
    weights: dict[str, torch.Tensor]
    tensors: dict[str, torch.Tensor]


@pytest.fixture
def reference_case(shared):
    def load(name: str) -> ReferenceCase:
        with safe_open(str(shared / "reference/cases" / f"{name}.safetensors"), "pt") as file:
            info = json.loads(file.metadata()["info"])
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        weights = {k.removeprefix("weights."): t for k, t in tensors.items() if k.startswith("weights.")}
        rest = {k: t for k, t in tensors.items() if not k.startswith("weights.")}
        return ReferenceCase(info["config"], info["suggested_tolerance_rel"], weights, rest)

    return load


@pytest.fixture
def network():
    """The network of what was recognised, with its weights, strictly."""

    def build(found: Recognised) -> torch.nn.Module:
        with torch.device("meta"):
            module = ARCHITECTURES[found.arch].build(**found.parameters)
        module.load_state_dict(found.tensors, assign=True)
        return module.eval()

    return build
