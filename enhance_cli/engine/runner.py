"""Runs a network over an input of any size, tile by tile, within the memory that there is."""

from __future__ import annotations

import gc
from collections.abc import Callable
from contextlib import nullcontext

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from enhance_cli.checkpoints.reader import LoadedNet
from enhance_cli.engine import guard, tiles
from enhance_cli.engine.backends.choice import choose
from enhance_cli.engine.backends.eager import EagerBackend
from enhance_cli.engine.device import Runtime, prepare, resolve
from enhance_cli.engine.ensemble import eightfold
from enhance_cli.engine.settings import EngineSettings
from enhance_cli.engine.tiles import Box, Tile
from enhance_cli.errors import RestoreError

OnTile = Callable[[int, int], None]
Batch = NDArray[np.float32]
"""(N, C, H, W), nominal range [0, 1]."""
OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "alloc_failed")
"""What CUDA and MPS, torch's CPU allocator, and cuDNN and cuBLAS say, in lower case."""


class Runner:
    """One network on one device.  What it learns about memory holds for all later pictures."""

    def __init__(self, net: LoadedNet, settings: EngineSettings) -> None:
        """DeviceError if the device or precision asked for is not there; UsageError for bad settings."""
        self.net = net
        prepare(settings)
        self._backend, self.runtime = choose(net, settings, resolve(settings, net.spec))
        self._settings = settings
        self._tile: int | None = settings.tile
        self._redone = 0
        self._warnings: list[str] = []

    @property
    def warnings(self) -> tuple[str, ...]:
        """What had to be done differently in the last run, one line each."""
        redone = f"{self._redone} tiles were unusable in reduced precision: redone in float32"
        return (*self._warnings, redone) if self._redone else tuple(self._warnings)

    def run(
        self,
        height: int,
        width: int,
        condition: Tensor | None,
        read: Callable[[Box], Batch],
        write: Callable[[Box, Batch], None],
        on_tile: OnTile | None,
    ) -> int:
        """Run all tiles of a height x width input, with smaller ones if memory runs out; returns how many.

        `read` is given boxes of the input, beyond it too for margin and multiple; `write` of the output.
        `condition`: (1, 1, 1, 1) or None.  RestoreError if a result is unusable or memory is too small.
        """
        self._warnings, self._redone = [], 0
        spec = self.net.spec
        padded = [
            tiles.round_up(max(n + 2 * spec.margin, spec.minimum), spec.multiple) for n in (height, width)
        ]
        while True:
            side = self._tile_side(padded[0], padded[1])
            cut = tiles.plan(padded[0], padded[1], side, max(spec.halo, spec.minimum), spec.multiple)
            placed = [(tile, tile.core.moved(-spec.margin)) for tile in cut]
            plan = [(tile, core) for tile, core in placed if core.clipped(height, width).area]
            try:
                for number, (tile, core) in enumerate(plan, 1):
                    y = self._restore_tile(read(tile.padded.moved(-spec.margin)), tile, condition)
                    kept = core.clipped(height, width)
                    part = kept.within(core).scaled(spec.scale)
                    write(kept.scaled(spec.scale), y[..., part.rows, part.columns])
                    if on_tile:
                        on_tile(number, len(plan))
            except (RuntimeError, MemoryError) as error:
                if not _out_of_memory(error):
                    raise
            else:
                self._warn_of_tiles(len(plan))
                return len(plan)
            self._make_room(min(side or max(padded), max(padded)))

    def _tile_side(self, height: int, width: int) -> int:
        spec = self.net.spec
        if spec.tiling == "whole":
            return 0
        if self._tile is not None:
            return self._tile
        if spec.tile is not None:
            return 0 if max(height, width) <= spec.tile else spec.tile
        return tiles.choose(height, width, self._backend.room(height * width), spec.halo, spec.multiple)

    def _warn_of_tiles(self, count: int) -> None:
        name, tiling = self.net.name, self.net.spec.tiling
        if count > 1 and tiling == "approximate":
            self._warnings.append(f"model {name} averages over all it sees: the result depends on the tiles")
        if self._settings.tile and tiling == "whole":
            self._warnings.append(f"model {name} cannot be tiled: --tile had no effect")

    def _make_room(self, side: int) -> None:
        """After memory ran out with tiles of that side: smaller ones from now on, then the CPU."""
        gc.collect()
        if self.runtime.device.type == "cuda":
            torch.cuda.empty_cache()
        whole = self.net.spec.tiling == "whole"
        smaller = None if whole else tiles.smaller(side, self.net.spec.multiple)
        where = self.runtime.device
        if smaller is not None:
            self._tile = smaller
            self._warnings.append(
                f"out of memory on {where} with tiles of {side}: tiles of {smaller} from now on"
            )
        elif self._settings.device == "auto" and where.type != "cpu":
            self.runtime = Runtime(torch.device("cpu"), torch.float32, "torch", self.runtime.notes)
            self._backend = EagerBackend(self.net, self.runtime.device)
            self._tile = self._settings.tile
            self._warnings.append(f"out of memory on {where} with tiles of {side}: on the CPU from now on")
        else:
            raise RestoreError(f"out of memory on {where} even with tiles of {side}; close other programs")

    def _restore_tile(self, x: Batch, tile: Tile, condition: Tensor | None) -> Batch:
        """Result of the tile's core; in float32 if the reduced precision gave something unusable."""
        core = tile.core.within(tile.padded)
        given = torch.from_numpy(x)
        reference = given[..., core.rows, core.columns]
        if self.net.task == "demosaic":
            reference = guard.as_if_full(reference)
        y = self._forward(given, core, condition, self.runtime.dtype)
        problem = guard.problem(reference, y)
        if problem and self.runtime.dtype != torch.float32:
            self._redone += 1
            y = self._forward(given, core, condition, torch.float32)
            problem = guard.problem(reference, y)
        if problem:
            raise RestoreError(f"the result of model {self.net.name} {problem}; use another --model")
        return np.asarray(y.numpy())

    def _forward(self, x: Tensor, core: Box, condition: Tensor | None, dtype: torch.dtype) -> Tensor:
        """(N, C, h, w) -> result of the core, float32 on the CPU, one of the N after the other."""
        device, spec = self.runtime.device, self.net.spec
        condition = None if condition is None else condition.to(device)
        out = core.scaled(spec.scale)

        def run(x: Tensor) -> Tensor:
            return self._backend(x, condition)

        def whole(x: Tensor) -> Tensor:
            x = x.to(device) * spec.value_range
            y = eightfold(run, x) if self._settings.ensemble else run(x)
            return y[..., out.rows, out.columns].float().cpu() / spec.value_range

        # Autocast rather than a half module: weights, sums with the input and the output stay float32.
        full = dtype == torch.float32
        with torch.inference_mode(), nullcontext() if full else torch.autocast(device.type, dtype):
            return torch.cat([whole(one) for one in x.split(1)])


def _out_of_memory(error: Exception) -> bool:
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return any(sign in str(error).lower() for sign in OUT_OF_MEMORY)
