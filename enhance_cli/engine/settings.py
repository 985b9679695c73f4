"""How a network is to be run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Precision = Literal["auto", "float32", "bfloat16", "float16"]
Backend = Literal["auto", "torch", "ncnn", "openvino"]


@dataclass(frozen=True, kw_only=True)
class EngineSettings:
    """Device, precision and memory; none of it changes what is restored, only how."""

    device: str = "auto"
    """"auto", "cpu", "cuda", "cuda:N" or "mps"; only "auto" falls back."""
    precision: Precision = "auto"
    backend: Backend = "auto"
    tile: int | None = None
    """Side of a tile in input pixels without its halo; None chooses one, 0 means the whole picture."""
    ensemble: bool = False
    """Average over the eight flips and rotations (x8, "+" in the papers)."""
    threads: int | None = None
    """CPU threads for the arithmetic; None leaves torch's choice."""
