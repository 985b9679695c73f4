"""Torch, layer by layer: serves every network, on every device and in every precision."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from enhance_cli.checkpoints.reader import LoadedNet
from enhance_cli.engine.device import room, surely_fits
from enhance_cli.engine.tiles import Room


class EagerBackend:
    """The module itself."""

    def __init__(self, net: LoadedNet, device: torch.device) -> None:
        self._net = net
        self._device = device
        self._ready: nn.Module | None = None
        self._room: Room | None = None

    def __call__(self, x: Tensor, condition: Tensor | None) -> Tensor:
        """See `Backend`."""
        x = x.contiguous(memory_format=torch.channels_last)
        module = self._module()
        y = module(x) if condition is None else module(x, condition)
        return y if self._net.spec.output is None else y[self._net.spec.output]

    def room(self, wanted: int) -> Room:
        """See `Backend`."""
        spec = self._net.spec
        if surely_fits(wanted, spec, self._device):
            return Room(wanted, wanted)
        if self._room is None:
            self._room = room(self._net.module, spec, self._device)
        return self._room.within(wanted)

    def _module(self) -> nn.Module:
        """The network on its device, a copy: the loaded one may serve others.

        Made at the first call, where memory that runs out is dealt with.
        """
        if self._ready is None:
            module = copy.deepcopy(self._net.module).to(self._device)
            self._ready = module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return self._ready
