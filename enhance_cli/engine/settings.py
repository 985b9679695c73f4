"""How a network is to be run."""

from __future__ import annotations

from dataclasses import dataclass

from enhance_cli.runtimes.contract import RuntimeSettings


@dataclass(frozen=True, kw_only=True)
class EngineSettings(RuntimeSettings):
    """Device, precision and memory; none of it changes what is restored, only how."""

    tile: int | None = None
    """Side of a tile in input pixels without its halo; None chooses one, 0 means the whole picture."""
    tile_bytes: int | None = None
    """Memory for the feature maps of one tile on the CPU; None: as much as is fast."""
    ensemble: bool = False
    """Average over the eight flips and rotations (x8, "+" in the papers)."""
    unchecked: bool = False
    """Pass on results that look spoilt, with a warning, instead of refusing them."""
