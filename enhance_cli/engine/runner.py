"""Runs a network over an input of any size, tile by tile, within the memory that there is."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
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
from enhance_cli.engine.transfer import send
from enhance_cli.errors import RestoreError

OnTile = Callable[[int, int], None]
Batch = NDArray[np.float32]
"""(N, C, H, W), nominal range [0, 1]."""
MOST_AT_ONCE = 16
"""Tiles that a GPU is given at once; more of the smallest would not make it faster."""
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
        self._halo = max(net.spec.halo, net.spec.minimum)
        self._most = MOST_AT_ONCE
        self._batch = 1
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
        write: Callable[[Box, Tensor], None],
        on_tile: OnTile | None,
    ) -> int:
        """Run all tiles of a height x width input; returns how many.

        Where memory runs out, the unfinished row of tiles and those below are run in smaller ones.  `read` is
        given boxes of the input, beyond it too for margin and multiple; `write` of the output, one row of
        tiles after the other from top to bottom, each from left to right, and what belongs there: (N, C, h,
        w) float32 on the device, nominal range [0, 1].
        `condition`: (1, 1, 1, 1) or None.  RestoreError if a result is unusable or memory is too small.
        """
        self._warnings, self._redone = [], 0
        spec = self.net.spec
        padded = [
            tiles.round_up(max(n + 2 * spec.margin, spec.minimum), spec.multiple) for n in (height, width)
        ]
        finished = 0
        while True:
            side = self._tile_side(padded[0], padded[1])
            cut = tiles.plan(padded[0], padded[1], side, self._halo, spec.multiple)
            placed = [(tile, tile.core.moved(-spec.margin)) for tile in cut]
            left = [(tile, core, core.clipped(height, width).below(finished)) for tile, core in placed]
            plan = [(tile, core, kept) for tile, core, kept in left if kept.area]
            try:
                results = self._results([tile for tile, _, _ in plan], read, condition)
                for number, ((_, core, kept), y) in enumerate(zip(plan, results, strict=True), 1):
                    part = kept.within(core).scaled(spec.scale)
                    write(kept.scaled(spec.scale), y[..., part.rows, part.columns])
                    if kept.right == width:
                        finished = kept.bottom
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
        room = self._backend.room(height * width)
        if spec.tiling == "approximate":
            # Cut for memory's sake alone: the result depends on the tiles.
            room = room.for_memory()
        return tiles.choose(height, width, room, self._halo, spec.multiple)

    def _at_once(self, padded: Box, count: int) -> int:
        """How many of so many tiles the network is given at once: one on the CPU, where more gain nothing."""
        if count == 1 or self.runtime.device.type == "cpu":
            return 1
        wanted = min(count, self._most)
        return max(1, self._backend.room(wanted * padded.area).most // padded.area)

    def _warn_of_tiles(self, count: int) -> None:
        name, tiling = self.net.name, self.net.spec.tiling
        if count > 1 and tiling == "approximate":
            self._warnings.append(f"model {name} averages over all it sees: the result depends on the tiles")
        if self._settings.tile and tiling == "whole":
            self._warnings.append(f"model {name} cannot be tiled: --tile had no effect")

    def _make_room(self, side: int) -> None:
        """After memory ran out with tiles of that side: fewer at once from now on, smaller ones, the CPU."""
        gc.collect()
        if self.runtime.device.type == "cuda":
            torch.cuda.empty_cache()
        whole = self.net.spec.tiling == "whole"
        smaller = None if whole else tiles.smaller(side, self.net.spec.multiple)
        where = self.runtime.device
        if self._batch > 1:
            self._most = self._batch // 2
            self._warnings.append(
                f"out of memory on {where} with {self._batch} tiles at once: {self._most} from now on"
            )
            self._batch = 1
        elif smaller is not None:
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

    def _results(
        self, plan: Sequence[Tile], read: Callable[[Box], Batch], condition: Tensor | None
    ) -> Iterator[Tensor]:
        """Results of the tiles' cores, one after the other; so many tiles are read as are given at once."""
        size = self._at_once(plan[0].padded, len(plan))
        for start in range(0, len(plan), size):
            group = plan[start : start + size]
            given = [read(tile.padded.moved(-self.net.spec.margin)) for tile in group]
            yield from self._restore(given, group, condition)

    def _restore(self, given: Sequence[Batch], cut: Sequence[Tile], condition: Tensor | None) -> list[Tensor]:
        """Results of the tiles' cores; in float32 where the reduced precision gave something unusable."""
        device = self.runtime.device
        condition = None if condition is None else condition.to(device)
        cores = [tile.core.within(tile.padded) for tile in cut]
        xs = [send(one, device) for one in given]
        ys = self._forward(xs, cores, condition, self.runtime.dtype)
        return [self._checked(x, y, core, condition) for x, y, core in zip(xs, ys, cores, strict=True)]

    def _checked(self, x: Tensor, y: Tensor, core: Box, condition: Tensor | None) -> Tensor:
        """The result y of a tile, or another one in float32 if it is unusable."""
        reference = x[..., core.rows, core.columns]
        if self.net.task == "demosaic":
            reference = guard.as_if_full(reference)
        problem = guard.problem(reference, y)
        if problem and self.runtime.dtype != torch.float32:
            self._redone += 1
            (y,) = self._forward([x], [core], condition, torch.float32)
            problem = guard.problem(reference, y)
        if problem:
            raise RestoreError(f"the result of model {self.net.name} {problem}; use another --model")
        return y

    def _forward(
        self, xs: Sequence[Tensor], cores: Sequence[Box], condition: Tensor | None, dtype: torch.dtype
    ) -> list[Tensor]:
        """(N, C, h, w) of each tile, all alike -> results of the cores, float32."""
        spec = self.net.spec

        def run(x: Tensor) -> Tensor:
            return self._backend(x, None if condition is None else condition.expand(len(x), 1, 1, 1))

        def whole(x: Tensor) -> Tensor:
            x = x * spec.value_range
            return eightfold(run, x) if self._settings.ensemble else run(x)

        def cut_out(y: Tensor, core: Box) -> Tensor:
            out = core.scaled(spec.scale)
            return y[..., out.rows, out.columns].float() / spec.value_range

        x = torch.cat(list(xs))
        self._batch = self._at_once(Box(0, 0, *x.shape[2:]), len(x))
        # Autocast rather than a half module: weights, sums with the input and the output stay float32.
        full = dtype == torch.float32
        with torch.inference_mode(), nullcontext() if full else torch.autocast(x.device.type, dtype):
            y = torch.cat([whole(part) for part in x.split(self._batch)])
            return [cut_out(*one) for one in zip(y.split(len(xs[0])), cores, strict=True)]


def _out_of_memory(error: Exception) -> bool:
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return any(sign in str(error).lower() for sign in OUT_OF_MEMORY)
