"""What a network is, in numbers that a user can compare."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from enhance_cli.arch.contract import Parameters
from enhance_cli.arch.registry import ARCHITECTURES
from enhance_cli.checkpoints.reader import LoadedNet

SIDE = 96
"""Side of the input on which work is counted, where a network names no tile of its own."""


def facts(net: LoadedNet) -> dict[str, Any]:
    """All that is known of loaded weights, JSON-serialisable."""
    spec, work = net.spec, work_per_megapixel(net)
    return {
        "recognised": net.title,
        "network": net.arch,
        "parameters": dict(net.parameters),
        "tasks": net.tasks,
        "scale": "any" if spec.pre_upsampled else spec.scale,
        "colour": spec.colour,
        "value_range": spec.value_range,
        "told": spec.condition,
        "size_multiple": spec.multiple,
        "tiling": spec.tiling,
        "parameter_count": n_parameters(net),
        "gmac_per_output_megapixel": None if work is None else round(work, 1),
        "dropped_keys": net.dropped,
        "assumed": net.notes,
        "licence": net.licence,
        "sha256": net.sha256,
    }


def all_parameters(net: LoadedNet) -> Parameters:
    """The network's parameters with the defaults of those that were not given."""
    known = (
        inspect.signature(ARCHITECTURES[net.arch].build).parameters.values()
        if net.arch in ARCHITECTURES
        else ()
    )
    return {**{one.name: one.default for one in known}, **net.parameters}


def n_parameters(net: LoadedNet) -> int:
    """How many numbers were trained; running statistics do not count."""
    return sum(parameter.numel() for parameter in net.module.parameters())


def work_per_megapixel(net: LoadedNet) -> float | None:
    """Multiplications and additions, in units of 10^9 pairs, for a million output pixels.

    Convolutions and matrix products are counted, on a tile of the network's own size; nothing is computed.
    None for networks that look at values and so cannot be followed.
    """
    spec = net.spec
    side = max(spec.tile or SIDE, spec.minimum)
    side = -(-side // spec.multiple) * spec.multiple
    # Tensors of torch's meta device have sizes and shapes, but no numbers and no memory.
    state = {
        key: torch.empty_like(value, device="meta")
        for key, value in (*net.module.named_parameters(), *net.module.named_buffers())
    }
    inputs = [torch.zeros((1, 3 if spec.colour == "rgb" else 1, side, side), device="meta")]
    if spec.condition:
        inputs.append(torch.zeros((1, 1, 1, 1), device="meta"))
    try:
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            torch.func.functional_call(net.module, state, tuple(inputs))
    except (RuntimeError, NotImplementedError, TypeError, MemoryError):
        return None
    return float(counter.get_total_flops()) / 2 / 1e9 / ((side * spec.scale) ** 2 / 1e6)
