"""What a file may claim of its network: checked before one is built, filled or run."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import signature
from math import prod

import torch
from torch import Tensor

from enhance_cli.arch.contract import Architecture, ArchSpec, Parameters
from enhance_cli.checkpoints.limits import shown
from enhance_cli.errors import ModelError

LARGEST = 10_000
"""No network has as many channels."""
DEPTHS = frozenset(
    ("n_blocks", "n_groups", "n_layers", "n_units", "n_modules", "n_res", "n_mappings", "depth")
)
"""Parameters that count layers, or layers in each of those that another one counts."""
DEEPEST = 1000
"""Layers of all kinds, five times RCAN's; building many more would take minutes and gigabytes."""
LARGEST_SCALE = 8
"""No published network enlarges more, and the result's memory grows with its square."""
FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
COUNTER = "num_batches_tracked"
"""The only integers in any network here."""


def check_types(tensors: Mapping[str, Tensor]) -> None:
    """ModelError unless all numbers are of types that networks compute in; batches may be counted in any."""
    for key, tensor in tensors.items():
        counter = key.endswith(COUNTER) and not tensor.is_complex()
        if tensor.dtype not in FLOATS and not counter:
            kind = str(tensor.dtype).removeprefix("torch.")
            raise ModelError(f"weight {key!r} is of type {kind}; save the weights as float32 instead")


def check_numbers(parameters: Parameters) -> None:
    """ModelError for a parameter that no network has."""
    for key, value in parameters.items():
        if isinstance(value, (int, float)) and not abs(value) <= LARGEST:
            raise ModelError(f"parameter {shown(key)} = {shown(value)} is beyond any network")


def check_depth(architecture: Architecture, parameters: Parameters, n_tensors: int) -> None:
    """ModelError if the parameters speak of more layers than there are tensors: each has one at least."""
    defaults = {key: one.default for key, one in signature(architecture.spec).parameters.items()}
    counts = {key: n for key, n in {**defaults, **parameters}.items() if key in DEPTHS and isinstance(n, int)}
    depth = prod(max(1, n) for n in counts.values())
    if depth > min(n_tensors, DEEPEST):
        raise ModelError(f"its {n_tensors} weights do not make {depth} layers; it is damaged or hostile")


def check_scale(spec: ArchSpec) -> None:
    """ModelError if the network enlarges more than any should."""
    if spec.scale > LARGEST_SCALE:
        raise ModelError(f"it enlarges {spec.scale} times, and no network here more than {LARGEST_SCALE}")
