"""The network of what a file was found to hold, strictly; what it claims is checked before one is built."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import signature
from math import prod

import torch
from torch import Tensor, nn

from enhance_cli.arch.contract import ArchSpec
from enhance_cli.checkpoints.layouts.contract import Recognised
from enhance_cli.checkpoints.limits import shown
from enhance_cli.errors import ModelError

DEPTHS = ("n_blocks", "n_groups", "n_layers", "n_units", "n_modules", "n_res", "n_mappings", "depth")
"""Parameters that count layers, or layers in each of those that another one counts."""
DEEPEST = 1000
"""Layers of all kinds, five times RCAN's; building many more would take minutes and gigabytes."""
LARGEST_SCALE = 8
"""No published network enlarges more, and the result's memory grows with its square."""
FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
BATCH_COUNTER = "num_batches_tracked"
"""The only integers in any network here."""


def check_types(tensors: Mapping[str, Tensor]) -> None:
    """ModelError unless all numbers are of types that networks compute in; batches may be counted in any."""
    for key, tensor in tensors.items():
        counter = key.endswith(BATCH_COUNTER) and not tensor.is_complex()
        if tensor.dtype not in FLOATS and not counter:
            kind = str(tensor.dtype).removeprefix("torch.")
            raise ModelError(f"weight {key!r} is of type {kind}; save the weights as float32 instead")


def built(found: Recognised) -> tuple[nn.Module, ArchSpec]:
    """The network without storage: what a file claims of sizes costs nothing until its tensors are there.

    ModelError if the parameters do not fit the network, or if it is larger than any.
    """
    # Inside the function: writing a file and the record above need none of the networks.
    from enhance_cli.arch.registry import ARCHITECTURES

    if found.arch not in ARCHITECTURES:
        known = ", ".join(sorted(ARCHITECTURES))
        raise ModelError(f"unknown network {shown(found.arch)!r}; known: {known}")
    architecture, n_tensors = ARCHITECTURES[found.arch], len(found.tensors)
    defaults = {key: one.default for key, one in signature(architecture.spec).parameters.items()}
    counts = {**defaults, **found.parameters}
    depth = prod(max(1, counts[key]) for key in DEPTHS if isinstance(counts.get(key), int))
    if depth > min(n_tensors, DEEPEST):  # each layer has a tensor at least
        raise ModelError(f"its {n_tensors} weights do not make {depth} layers; it is damaged or hostile")
    try:
        with torch.device("meta"):
            module = architecture.build(**found.parameters)
        spec = architecture.spec(**found.parameters)
    except (TypeError, ValueError, RuntimeError, ArithmeticError, LookupError, AttributeError) as error:
        raise ModelError(
            f"parameters {shown(found.parameters)} do not fit network {found.arch!r}: {shown(error)}"
        ) from error
    if spec.scale > LARGEST_SCALE:
        raise ModelError(f"it enlarges {spec.scale} times, and no network here more than {LARGEST_SCALE}")
    return module, spec


def check_shapes(module: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """ModelError names the first tensor that is missing, extra or of another shape than the module's."""
    state = module.state_dict()
    for key, own in state.items():
        if key not in tensors:
            raise ModelError(f"weight {key!r} is missing; the others do not describe a network without it")
        if tensors[key].shape != own.shape:
            shapes = f"{tuple(tensors[key].shape)} instead of {tuple(own.shape)}"
            raise ModelError(f"weight {key!r} has shape {shapes}; it does not go with the others")
    extra = next((key for key in tensors if key not in state), None)
    if extra is not None:
        raise ModelError(f"weight {extra!r} is none that its network has")


def fill(module: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Give the module its tensors; ModelError also for numbers that are NaN or infinite."""
    check_shapes(module, tensors)
    for key, tensor in tensors.items():
        if not torch.isfinite(tensor.float()).all():
            raise ModelError(f"weight {key!r} holds NaN or Inf; the training that wrote it failed")
    module.load_state_dict(dict(tensors), assign=True)
