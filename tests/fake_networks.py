"""Networks and runtimes whose behaviour is known, in place of trained and real ones."""

from collections.abc import Callable

import torch
from torch import nn

from enhance_cli.arch.contract import ArchSpec
from enhance_cli.checkpoints.reader import LoadedNet
from enhance_cli.runtimes.contract import PixelBudget


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


def loaded(
    module: nn.Module | Callable, spec: ArchSpec | None = None, *, task: str | None = None, **entries
) -> LoadedNet:
    """A module, or a function as a Fake, as if it had come from a weights file."""
    if not isinstance(module, nn.Module):
        module = Fake(module)
    spec = spec or ArchSpec(**{"colour": "rgb", "halo": 1, **entries})
    task = task or ("sr" if spec.scale > 1 or spec.pre_upsampled else "denoise")
    module = module.eval().requires_grad_(False)
    return LoadedNet(module, spec, "fake", "fake", {}, task, "0" * 64, None, {})


class FakeRuntime:
    """Hands every batch to a function of arrays and keeps what it was given."""

    name = "fake"
    notes = ()

    def __init__(self, function, *, device="cpu", precision="float32", most=1 << 20, **entries):
        self.function = function
        self.device, self.precision, self.most = device, precision, most
        self.spec = ArchSpec(**{"colour": "gray", "halo": 1, **entries})
        self.seen: list[tuple] = []

    def __call__(self, x, condition):
        self.seen.append((x, condition))
        return self.function(x)

    def budget(self, wanted):
        return PixelBudget(min(wanted, self.most), min(wanted, self.most))
