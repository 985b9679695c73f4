"""ONNX Runtime: an exported network on the CPU, or on what its installed build was made for."""

from __future__ import annotations

from typing import Any

import numpy as np

from enhance_cli.runtimes.contract import Batch, UnavailableError, last_line
from enhance_cli.runtimes.graph import GraphRuntime, load_package

PROVIDERS = {
    "cuda": "CUDAExecutionProvider",
    "mps": "CoreMLExecutionProvider",
    "directml": "DmlExecutionProvider",
    "cpu": "CPUExecutionProvider",
}
"""By the device that each computes on, the one taken first for "auto" first."""
SILENT = 4
"""Its log level from which on only errors that end the process are printed."""


class OnnxRuntime(GraphRuntime):
    """A graph in an inference session; float32 throughout."""

    name, title = "onnxruntime", "ONNX Runtime"
    out_of_memory = ("alloc", "out of memory", "e_outofmemory")

    def open(self, graph: bytes, threads: int) -> None:
        """See `GraphRuntime`."""
        onnxruntime = load()
        kind, _, number = self.device.partition(":")
        if kind not in devices():
            raise UnavailableError(
                f"ONNX Runtime has nothing for {self.device}; it has {', '.join(devices())}"
            )
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
            raise UnavailableError(f"ONNX Runtime cannot use {self.device}")
        self._names = [one.name for one in self._session.get_inputs()]

    def compute(self, inputs: list[Any]) -> Batch:
        """See `GraphRuntime`."""
        (y,) = self._session.run(None, dict(zip(self._names, inputs, strict=True)))
        return np.asarray(y, np.float32)


def load() -> Any:
    """The package; UnavailableError if it cannot be loaded, or something else has its name."""
    return load_package("onnxruntime", "ONNX Runtime", "InferenceSession")


def devices() -> tuple[str, ...]:
    """What the installed build computes on; UnavailableError as for `load`."""
    there = load().get_available_providers()
    return tuple(device for device, provider in PROVIDERS.items() if provider in there)
