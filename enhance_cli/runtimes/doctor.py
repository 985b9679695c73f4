"""What `enhance doctor` tells about this machine.  Loads no runtime but those it asks for their devices."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Measured:
    """How fast the runtimes compute one prepared network here."""

    network: str
    """Name of the weights when it was prepared."""
    chosen: str
    """For example "openvino bfloat16"."""
    milliseconds: dict[str, float]
    """By runtime and precision, for the picture on which they were compared."""


@dataclass(frozen=True)
class Report:
    """Everything that decides on how fast a network runs here."""

    processor: str
    threads: int
    """Processors that this process may use."""
    instructions: tuple[str, ...]
    """Instruction sets that networks profit from, for example "avx512_bf16"."""
    devices: tuple[str, ...]
    runtimes: dict[str, str | None]
    """Version by name; None where it is not installed."""
    providers: tuple[str, ...]
    """Of ONNX Runtime: "cpu", "cuda", "mps", "directml"."""
    measured: tuple[Measured, ...]
    cache: Path | None
    """Folder of prepared networks; None for users without a home folder."""
    cache_bytes: int


def examine() -> Report:
    """Look at this machine; takes as long as importing the runtimes that are installed."""
    raise NotImplementedError
