"""What a run needs to go on exactly where it stood, kept in a file beside its weights until it ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from enhance_cli.errors import UsageError
from enhance_cli.imaging.files import write_atomic

Stores = Mapping[str, Mapping[str, Tensor]]
"""Tensors that training changes in place, such as state dicts, by what they belong to."""


@dataclass(frozen=True)
class State:
    """A run as it stood."""

    tensors: dict[str, Tensor]
    run: dict[str, str]
    """What the run was of; one that goes on must agree with it."""


def state_path(out: Path) -> Path:
    """Where the state of the run lies that writes the weights `out`."""
    return out.with_name(f"{out.name}.resume")


def write_state(path: Path, state: State) -> None:
    """Write a state, whole or not at all; WriteError if the file cannot be written."""
    tensors = {name: tensor.cpu().contiguous() for name, tensor in state.tensors.items()}
    write_atomic(path, safetensors.torch.save(tensors, metadata=state.run))


def read_state(path: Path) -> State:
    """Read what `write_state` wrote; UsageError if there is nothing or it is damaged."""
    try:
        with safe_open(path, framework="pt") as file:
            names = file.keys()
            return State({name: file.get_tensor(name) for name in names}, file.metadata() or {})
    except FileNotFoundError as error:
        raise UsageError(
            f"Nothing to resume: {path} is not there, so the run has ended or was cut off before its first "
            "report; leave out --resume"
        ) from error
    except (OSError, SafetensorError) as error:
        raise UsageError(
            f"Cannot resume from {path}, which is damaged ({error}); delete it to start anew"
        ) from error


def check_same_run(path: Path, left: Mapping[str, str], now: Mapping[str, str]) -> None:
    """UsageError that names the first thing in which the run that left a state differs from the one now."""
    for what, value in now.items():
        if left.get(what) != value:
            raise UsageError(
                f"{path} is of a run with {what} = {left.get(what, 'unknown')}, not {value}; "
                "give the same again, or delete it to start anew"
            )


def collect(
    stores: Stores,
    optimisers: Sequence[torch.optim.Optimizer],
    generators: Mapping[str, torch.Generator],
) -> dict[str, Tensor]:
    """All tensors by name, not copied but for the generators' states."""
    found = {f"{store}.{key}": value for store, values in stores.items() for key, value in values.items()}
    for index, optimiser in enumerate(optimisers):
        for number, parameter in enumerate(_parameters(optimiser)):
            for key, value in optimiser.state[parameter].items():
                found[f"optimiser.{index}.{number}.{key}"] = value
    return found | {f"generator.{name}": one.get_state() for name, one in generators.items()}


def restore(
    tensors: Mapping[str, Tensor],
    stores: Stores,
    optimisers: Sequence[torch.optim.Optimizer],
    generators: Mapping[str, torch.Generator],
) -> None:
    """Put what `collect` gave back in its places; the optimisers must not have taken a step yet.

    UsageError if a tensor is missing or has another shape.
    """
    for store, values in stores.items():
        for key, value in values.items():
            value.copy_(_fitting(tensors, f"{store}.{key}", value))
    for index, optimiser in enumerate(optimisers):
        for number, parameter in enumerate(_parameters(optimiser)):
            prefix = f"optimiser.{index}.{number}."
            for name in tensors:
                if name.startswith(prefix):
                    optimiser.state[parameter][name.removeprefix(prefix)] = _like(tensors[name], parameter)
    for name, generator in generators.items():
        generator.set_state(_fitting(tensors, f"generator.{name}", generator.get_state()))


def _parameters(optimiser: torch.optim.Optimizer) -> list[Tensor]:
    return [parameter for group in optimiser.param_groups for parameter in group["params"]]


def _like(value: Tensor, parameter: Tensor) -> Tensor:
    # The fused optimisers walk through parameter and moments side by side, whatever their strides are.
    if value.shape == parameter.shape:
        return torch.empty_like(parameter, requires_grad=False).copy_(value)
    return value.to(parameter.device)


def _fitting(tensors: Mapping[str, Tensor], name: str, own: Tensor) -> Tensor:
    if name not in tensors or tensors[name].shape != own.shape:
        raise UsageError(
            f"Cannot resume: the state has no {name} of shape {tuple(own.shape)}, so another version wrote "
            "it; delete it to start anew"
        )
    return tensors[name]
