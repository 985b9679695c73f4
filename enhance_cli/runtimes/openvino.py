"""OpenVINO: an exported network on the CPU, compiled once for all sizes."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from enhance_cli.runtimes.contract import Batch, Precision, UnavailableError, last_line
from enhance_cli.runtimes.graph import GraphRuntime, load_package

PRECISIONS: dict[Precision, str] = {"float32": "f32", "bfloat16": "bf16", "float16": "f16"}
CONVERTER = "openvino.tools.ovc"
"""What reads other people's models.  As soon as it is imported it writes into the user's home and tells its
makers over the network; nothing of it is needed here."""
SHAPES = 64
"""Shapes of layers whose preparation is kept.  Unasked it keeps 5000 of them: half a megabyte or more for
each size of picture, all through a batch."""


class OpenvinoRuntime(GraphRuntime):
    """A graph compiled by OpenVINO."""

    name, title = "openvino", "OpenVINO"
    out_of_memory = ("alloc", "memory")

    def open(self, graph: bytes, threads: int) -> None:
        """See `GraphRuntime`."""
        self._openvino = load()
        settings = {
            # Unasked it computes in bfloat16 where the processor can, and ties threads to processors: two
            # processes would take the same.
            "INFERENCE_PRECISION_HINT": PRECISIONS[self.precision],
            "EXECUTION_MODE_HINT": "ACCURACY" if self.precision == "float32" else "PERFORMANCE",
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": "1",
            "INFERENCE_NUM_THREADS": threads,
            "ENABLE_CPU_PINNING": False,
            "CPU_RUNTIME_CACHE_CAPACITY": SHAPES,
        }
        try:
            core = self._openvino.Core()
            self._compiled = core.compile_model(core.read_model(graph), "CPU", settings)
            taken = self._compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
        except Exception as error:  # its own kinds, and Python's where a version takes other arguments
            raise UnavailableError(f"OpenVINO refuses the network: {last_line(error)}") from error
        if taken != PRECISIONS[self.precision]:
            raise UnavailableError(f"OpenVINO has no {self.precision} on this processor")
        self._request: Any = None

    def compute(self, inputs: list[Any]) -> Batch:
        """See `GraphRuntime`."""
        # Kept only once it has served: one that has failed would go on asking for memory that it did not get.
        request, self._request = self._request or self._compiled.create_infer_request(), None
        for i, array in enumerate(inputs):
            # It borrows the arrays' memory without keeping them alive.
            request.set_input_tensor(i, self._openvino.Tensor(array, shared_memory=True))
        # `infer` would return as if all were well where memory runs out; waiting raises.
        request.start_async()
        request.wait()
        self._request = request
        # Copied, because the next run writes into the same memory.
        return np.array(request.get_output_tensor(0).data, np.float32)


def load() -> Any:
    """The package; UnavailableError if it cannot be loaded, or something else has its name."""
    known = CONVERTER in sys.modules
    sys.modules.setdefault(CONVERTER, None)  # type: ignore[arg-type]
    try:
        return load_package("openvino", "OpenVINO", "Core")
    finally:
        if not known:
            sys.modules.pop(CONVERTER, None)  # another thread may have been faster


def precisions() -> tuple[Precision, ...]:
    """Those that it has on this processor; UnavailableError as for `load`."""
    there = load().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    named: dict[str, Precision] = {"FP32": "float32", "BF16": "bfloat16", "FP16": "float16"}
    return tuple(named[name] for name in there if name in named)
