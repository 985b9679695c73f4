"""What `enhance doctor` tells about this machine.  Loads no runtime but those it asks for their devices."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from enhance_cli.runtimes import cache, machine
from enhance_cli.runtimes.contract import UnavailableError
from enhance_cli.runtimes.select import fastest


@dataclass(frozen=True)
class Measured:
    """How fast the runtimes compute one prepared network here, with as many threads as are taken unasked."""

    network: str
    """Name of the weights when it was prepared."""
    chosen: str
    """For example "openvino bfloat16"."""
    milliseconds: dict[str, float]
    """By runtime and precision, for a tenth of a megapixel of input."""


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
    from enhance_cli.runtimes import onnxruntime, torch

    providers: tuple[str, ...] = ()
    # A broken package of that name has nothing to offer.
    with suppress(UnavailableError):
        providers = onnxruntime.devices() if machine.is_installed("onnxruntime") else ()
    threads = machine.cpu_threads(None)
    measured = []
    for name, timings in cache.measured_here(cache.place_of(threads)).items():
        times = {label: one.milliseconds for label, one in timings.items()}
        faithful = {label: times[label] for label, one in timings.items() if one.faithful}
        measured.append(Measured(name, fastest(faithful), times))
    return Report(
        processor=machine.processor(),
        threads=threads,
        instructions=machine.instructions(),
        devices=("cpu", *torch.devices()),
        runtimes={name: machine.version_of(name) for name in ("torch", "openvino", "onnxruntime", "ncnn")},
        providers=providers,
        measured=tuple(measured),
        cache=cache.folder(),
        cache_bytes=cache.size(),
    )
