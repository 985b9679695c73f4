"""Runs a network over an input of any size, tile by tile, within the memory that there is."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from enhance_cli.engine import check
from enhance_cli.engine.ensemble import eightfold
from enhance_cli.engine.memory import smaller_side, tile_side
from enhance_cli.engine.settings import EngineSettings
from enhance_cli.engine.tiles import Box, Tile, plan, round_up
from enhance_cli.errors import RestoreError, UsageError
from enhance_cli.runtimes.contract import Batch, NetworkSource, OutOfMemoryError, PixelBudget, Runtime
from enhance_cli.runtimes.select import open_runtime
from enhance_cli.tasks import TaskSpec

OnTile = Callable[[int, int], None]
"""Called with the number of tiles that are done, and of all."""
TILE_BYTES = 2 << 30
"""Memory that the pixels of a runtime's budget take at most on the CPU."""
MANY_PIXELS = 1 << 40
LARGEST_BATCH = 16
"""Tiles that a GPU is given at once; more of the smallest would not make it faster."""


class TiledNetwork:
    """One network in one runtime.  What it learns about memory holds for all later pictures."""

    def __init__(self, source: NetworkSource, settings: EngineSettings, task: TaskSpec) -> None:
        """`task`: what results are checked for, and whether inputs are mosaics with zeros.

        DeviceError if what was asked for is not there; UsageError for bad settings.
        """
        if settings.tile is not None and settings.tile < 0:
            raise UsageError(f"--tile {settings.tile} is negative; give a side in pixels, or 0 for no tiles")
        self.runtime: Runtime = open_runtime(source, settings)
        self.n_tiles = 0
        """Of the last input."""
        self._source = source
        self._settings = settings
        self._task = task
        self._side: int | None = settings.tile
        self._largest_batch = LARGEST_BATCH
        self._batch = 1
        self._float32: Runtime | None = None
        self._n_redone = 0
        self._unchecked_fault: str | None = None
        self._warnings: list[str] = []

    @property
    def warnings(self) -> tuple[str, ...]:
        """What had to be done differently with the last input, one line each."""
        told = list(self._warnings)
        if self._n_redone:
            told.append(f"{self._n_redone} tiles were unusable: redone in float32")
        if self._unchecked_fault:
            told.append(f"the result {self._unchecked_fault}: written all the same, as --unchecked asks")
        return tuple(told)

    def run(
        self,
        height: int,
        width: int,
        read: Callable[[Box], Batch],
        condition: float | None = None,
        on_tile: OnTile | None = None,
    ) -> Iterator[tuple[Box, Batch]]:
        """Yield boxes of the result and what belongs there: (N, C, h, w) with nominal range [0, 1].

        They come one row of tiles after the other from top to bottom, each from left to right; where memory
        runs out, the unfinished row begins anew in smaller tiles.  `read` is given boxes of the height x
        width input, beyond it too for margin and multiple, and returns (N, C, h, w) in [0, 1].
        RestoreError if a result is unusable or memory is too small.
        """
        self._warnings, self._n_redone, self._unchecked_fault = [], 0, None
        spec = self.runtime.spec
        padded_height, padded_width = (
            round_up(max(n + 2 * spec.margin, spec.minimum), spec.multiple) for n in (height, width)
        )
        longest = max(padded_height, padded_width)
        finished = 0
        while True:
            side = self._tile_side(padded_height, padded_width)
            todo = []
            for tile in plan(padded_height, padded_width, side, max(spec.halo, spec.minimum), spec.multiple):
                core = tile.core.moved(-spec.margin)
                kept = core.clipped(height, width).below(finished)
                if kept.area:
                    todo.append((tile, core, kept))
            try:
                whole = Box(0, 0, padded_height, padded_width)
                results = self._results([tile for tile, _, _ in todo], whole, read, condition)
                for number, ((_, core, kept), y) in enumerate(zip(todo, results, strict=True), 1):
                    part = kept.within(core).scaled(spec.scale)
                    yield kept.scaled(spec.scale), y[..., part.rows, part.columns]
                    if kept.right == width:
                        finished = kept.bottom
                    if on_tile:
                        on_tile(number, len(todo))
            except (MemoryError, OutOfMemoryError):
                self._use_less_memory(min(side or longest, longest))
                continue
            self.n_tiles = len(todo)
            if self.n_tiles > 1 and spec.tiling == "approximate":
                text = "averages over all it sees: the result depends on the tiles"
                self._warnings.append(f"model {self._source.name} {text}")
            if self._settings.tile and spec.tiling == "whole":
                self._warnings.append(f"model {self._source.name} cannot be tiled: --tile had no effect")
            return

    def _tile_side(self, height: int, width: int) -> int:
        spec = self.runtime.spec
        if spec.tiling == "whole":
            return 0
        if self._side is not None:
            return self._side
        if spec.tile is not None:
            return 0 if max(height, width) <= spec.tile else spec.tile
        budget = self._budget(height * width)
        if spec.tiling == "approximate":
            # Cut for memory's sake alone: the result depends on the tiles.
            budget = PixelBudget(budget.most, budget.most)
        return tile_side(height, width, budget, max(spec.halo, spec.minimum), spec.multiple)

    def _budget(self, wanted: int) -> PixelBudget:
        """The runtime's, or less where the settings leave a tile less memory than that is made for."""
        allowed = self._settings.tile_bytes
        if allowed is None or allowed >= TILE_BYTES or self.runtime.device != "cpu":
            return self.runtime.budget(wanted)
        whole = self.runtime.budget(MANY_PIXELS)
        share = allowed / TILE_BYTES
        return PixelBudget(
            min(wanted, int(whole.most * share)), min(wanted, whole.fast, int(whole.most * share))
        )

    def _batch_size(self, area: int, count: int) -> int:
        """How many inputs of that area are given at once: one on the CPU, where more gain nothing."""
        if count == 1 or self.runtime.device == "cpu":
            return 1
        wanted = min(count, self._largest_batch)
        return max(1, self.runtime.budget(wanted * area).most // area)

    def _results(
        self, tiles: Sequence[Tile], whole: Box, read: Callable[[Box], Batch], condition: float | None
    ) -> Iterator[Batch]:
        """Results of the tiles' cores, redone where they are unusable."""
        margin = self.runtime.spec.margin
        size = self._batch_size(tiles[0].padded.area, len(tiles))
        for start in range(0, len(tiles), size):
            group = tiles[start : start + size]
            given = [read(tile.padded.moved(-margin)) for tile in group]
            x = given[0] if len(given) == 1 else np.concatenate(given)
            self._batch = self._batch_size(x.shape[2] * x.shape[3], len(x))
            parts = [
                self._forward(self.runtime, x[first : first + self._batch], condition)
                for first in range(0, len(x), self._batch)
            ]
            y = parts[0] if len(parts) == 1 else np.concatenate(parts)
            n_planes = len(given[0])
            for number, (tile, seen) in enumerate(zip(group, given, strict=True)):
                core = tile.core.within(tile.padded)
                result = self._core_of(y[number * n_planes : (number + 1) * n_planes], core)
                fault = self._fault_of(seen, result, core)
                again = self._padded_again(tile, whole)
                if fault and (self.runtime.precision != "float32" or again != tile.padded):
                    self._n_redone += 1
                    self._float32 = self._float32 or open_runtime(
                        self._source,
                        replace(self._settings, device=self.runtime.device, precision="float32"),
                    )
                    seen, core = read(again.moved(-margin)), tile.core.within(again)
                    result = self._core_of(self._forward(self._float32, seen, condition), core)
                    fault = self._fault_of(seen, result, core)
                if fault:
                    self._refuse(fault)
                yield result

    def _padded_again(self, tile: Tile, whole: Box) -> Box:
        """What a network is given to redo a tile: all of the picture if the result depends on that and memory
        allows it; for exact networks that would change nothing."""
        depends = self.runtime.spec.tiling == "approximate"
        return whole if depends and self._budget(whole.area).most >= whole.area else tile.padded

    def _refuse(self, fault: str) -> None:
        """RestoreError, unless the user wants the result as it is; what is no number cannot be written."""
        advice = self._source.advice
        if fault == check.NOT_FINITE:
            raise RestoreError(f"the result of model {self._source.name} {fault}; {advice}")
        if not self._settings.unchecked:
            raise RestoreError(
                f"the result of model {self._source.name} {fault}; {advice}, or --unchecked to write it all "
                "the same"
            )
        self._unchecked_fault = self._unchecked_fault or fault

    def _forward(self, runtime: Runtime, x: Batch, condition: float | None) -> Batch:
        """(N, C, h, w) in [0, 1] -> (N, C, s h, s w) in the network's own range."""
        if runtime.spec.value_range != 1:
            x = x * np.float32(runtime.spec.value_range)
        if self._settings.ensemble:
            return eightfold(lambda seen: runtime(seen, condition), x)
        return runtime(x, condition)

    def _core_of(self, y: Batch, core: Box) -> Batch:
        spec = self.runtime.spec
        out = core.scaled(spec.scale)
        y = y[..., out.rows, out.columns]
        return y if spec.value_range == 1 else y / np.float32(spec.value_range)

    def _fault_of(self, x: Batch, y: Batch, core: Box) -> str | None:
        x = x[..., core.rows, core.columns]
        return check.fault_of(check.filled_mosaic(x) if self._task.mosaic else x, y, self._task)

    def _use_less_memory(self, side: int) -> None:
        """After memory ran out with tiles of that side: fewer at once from now on, smaller ones, the CPU."""
        gc.collect()
        spec, where = self.runtime.spec, self.runtime.device
        smaller = None if spec.tiling == "whole" else smaller_side(side, spec.multiple)
        if self._batch > 1:
            self._largest_batch = self._batch // 2
            change = f"{self._batch} tiles at once: {self._largest_batch} from now on"
            self._batch = 1
        elif smaller is not None:
            self._side = smaller
            change = f"tiles of {side}: tiles of {smaller} from now on"
        elif self._settings.device == "auto" and where != "cpu":
            self._settings = replace(self._settings, device="cpu", precision="float32")
            self.runtime = open_runtime(self._source, self._settings)
            self._side = self._settings.tile
            change = f"tiles of {side}: on the CPU from now on"
        else:
            raise RestoreError(f"out of memory on {where} even with tiles of {side}; close other programs")
        self._warnings.append(f"out of memory on {where} with {change}")
