"""ONNX Runtime: an exported network on the CPU, or on what its installed build was made for."""

from __future__ import annotations

from typing import Any

import numpy as np

from enhance_cli.arch.contract import ArchSpec
from enhance_cli.errors import RestoreError
from enhance_cli.runtimes.contract import (
    Batch,
    OutOfMemoryError,
    PixelBudget,
    Precision,
    UnavailableError,
    last_line,
)

PROVIDERS = {
    "cuda": "CUDAExecutionProvider",
    "mps": "CoreMLExecutionProvider",
    "directml": "DmlExecutionProvider",
    "cpu": "CPUExecutionProvider",
}
"""By the device that each computes on, the one taken first for "auto" first."""
OUT_OF_MEMORY = ("alloc", "out of memory", "e_outofmemory")
"""What errors say then, in lower case."""
LIVE_MAPS = 5
"""Feature maps of the largest size that are alive at once, like OpenVINO."""
BYTES, PIXELS = 2 << 30, 1 << 20
"""Memory for the feature maps of one tile, and its largest area whatever they take."""
SILENT = 4
"""Its log level from which on only errors that end the process are printed."""


class OnnxRuntime:
    """A graph in an inference session; float32 throughout.  See `Runtime`."""

    name = "onnxruntime"
    precision: Precision = "float32"

    def __init__(
        self,
        graph: bytes,
        spec: ArchSpec,
        floats_per_pixel: float,
        *,
        device: str = "cpu",
        threads: int = 1,
        notes: tuple[str, ...] = (),
    ) -> None:
        """`graph`: ONNX; `floats_per_pixel`: in its largest feature map, for each input pixel.

        UnavailableError if ONNX Runtime cannot be loaded, refuses the graph or was not made for that device.
        """
        self.device, self.spec, self.notes = device, spec, notes
        self._most = min(PIXELS, int(BYTES / (4 * LIVE_MAPS * floats_per_pixel)))
        onnxruntime = load()
        kind, _, number = device.partition(":")
        if kind not in devices():
            raise UnavailableError(f"ONNX Runtime has nothing for {device}; it has {', '.join(devices())}")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = SILENT
        # Memory planned for one size of picture does not serve the next.
        options.enable_mem_pattern = False
        exact = {"device_id": number or "0", "use_tf32": "0"} if kind == "cuda" else {}
        try:
            self._session = onnxruntime.InferenceSession(
                graph, options, providers=[(PROVIDERS[kind], exact), *[PROVIDERS["cpu"]] * (kind != "cpu")]
            )
        except Exception as error:  # its own kinds differ from version to version
            raise UnavailableError(f"ONNX Runtime refuses the network: {last_line(error)}") from error
        if PROVIDERS[kind] not in self._session.get_providers():
            raise UnavailableError(f"ONNX Runtime cannot use {device}")
        self._inputs = [one.name for one in self._session.get_inputs()]

    def __call__(self, x: Batch, condition: float | None) -> Batch:
        """See `Runtime`."""
        given = [x] if condition is None else [x, np.full((len(x), 1, 1, 1), condition, np.float32)]
        given = [np.ascontiguousarray(one) for one in given]
        try:
            (y,) = self._session.run(None, dict(zip(self._inputs, given, strict=True)))
        except Exception as error:  # as above
            problem = last_line(error)
            if isinstance(error, MemoryError) or any(sign in str(error).lower() for sign in OUT_OF_MEMORY):
                raise OutOfMemoryError(f"ONNX Runtime: {problem}") from error
            raise RestoreError(f"ONNX Runtime failed ({problem}); use --backend torch") from error
        return np.asarray(y, np.float32)

    def budget(self, wanted: int) -> PixelBudget:
        """See `Runtime`."""
        most = min(wanted, self._most)
        return PixelBudget(most, most)


def load() -> Any:
    """The package; UnavailableError if it cannot be loaded, or something else has its name."""
    try:
        import onnxruntime
    except Exception as error:  # whatever a broken package raises, or another program of that name
        raise UnavailableError(f"ONNX Runtime cannot be loaded: {last_line(error)}") from error
    if not hasattr(onnxruntime, "InferenceSession"):
        raise UnavailableError(f"something else is called onnxruntime: {onnxruntime}")
    return onnxruntime


def devices() -> tuple[str, ...]:
    """What the installed build computes on; UnavailableError as for `load`."""
    there = load().get_available_providers()
    return tuple(device for device, provider in PROVIDERS.items() if provider in there)
