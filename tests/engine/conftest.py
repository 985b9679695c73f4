"""Small networks whose behaviour is known, in place of trained ones."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from enhance_cli.arch.contract import ArchSpec
from enhance_cli.checkpoints.reader import LoadedNet


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(before)


class Fake(nn.Module):
    """Hands every call to a function and keeps the inputs it was given."""

    def __init__(self, function: Callable) -> None:
        super().__init__()
        self.function = function
        self.seen: list[tuple] = []

    def __deepcopy__(self, memo: dict) -> "Fake":
        return self

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        if inputs[0].device.type != "meta":
            self.seen.append(inputs)
        return self.function(*inputs)


@pytest.fixture
def load() -> Callable[..., LoadedNet]:
    """Wraps a module, or a function as a Fake, as if it had come from a weights file."""

    def wrap(
        module: nn.Module | Callable, spec: ArchSpec | None = None, *, task: str | None = None, **entries
    ) -> LoadedNet:
        if not isinstance(module, nn.Module):
            module = Fake(module)
        spec = spec or ArchSpec(**{"colour": "rgb", "halo": 1, **entries})
        task = task or ("sr" if spec.scale > 1 or spec.pre_upsampled else "denoise")
        module = module.eval().requires_grad_(False)
        return LoadedNet(module, spec, "fake", "fake", {}, task, "0" * 64, None, {})

    return wrap
