"""OpenVINO: an exported network on the CPU, compiled once for all sizes."""

from __future__ import annotations

import sys
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

PRECISIONS: dict[Precision, str] = {"float32": "f32", "bfloat16": "bf16", "float16": "f16"}
CONVERTER = "openvino.tools.ovc"
"""What reads other people's models.  As soon as it is imported it writes into the user's home and tells its
makers over the network; nothing of it is needed here."""
OUT_OF_MEMORY = ("alloc", "memory")
"""What errors say then, in lower case."""
LIVE_MAPS = 5
"""Feature maps of the largest size that are alive at once: 2 measured for DnCNN, 4 for AIM and compact, 5 for
EDSR; 7 for unet, whose maps are small."""
BYTES, PIXELS = 2 << 30, 1 << 20
"""Memory for the feature maps of one tile, and its largest area whatever they take."""
SHAPES = 64
"""Shapes of layers whose preparation is kept.  Unasked it keeps 5000 of them: half a megabyte or more for
each size of picture, all through a batch."""


class OpenvinoRuntime:
    """A graph compiled by OpenVINO; see `Runtime`."""

    name = "openvino"
    device = "cpu"

    def __init__(
        self,
        graph: bytes,
        spec: ArchSpec,
        floats_per_pixel: float,
        *,
        precision: Precision = "float32",
        threads: int = 1,
        notes: tuple[str, ...] = (),
    ) -> None:
        """`graph`: ONNX; `floats_per_pixel`: in its largest feature map, for each input pixel.

        UnavailableError if OpenVINO cannot be loaded, refuses the graph or has not that precision here.
        """
        self.spec, self.precision, self.notes = spec, precision, notes
        self._most = min(PIXELS, int(BYTES / (4 * LIVE_MAPS * floats_per_pixel)))
        self._openvino = load()
        settings = {
            # Unasked it computes in bfloat16 where the processor can, and ties threads to processors: two
            # processes would take the same.
            "INFERENCE_PRECISION_HINT": PRECISIONS[precision],
            "EXECUTION_MODE_HINT": "ACCURACY" if precision == "float32" else "PERFORMANCE",
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
        if taken != PRECISIONS[precision]:
            raise UnavailableError(f"OpenVINO has no {precision} on this processor")
        self._request: Any = None

    def __call__(self, x: Batch, condition: float | None) -> Batch:
        """See `Runtime`."""
        given = [x] if condition is None else [x, np.full((len(x), 1, 1, 1), condition, np.float32)]
        # The request borrows the arrays' memory without keeping them alive.
        given = [np.ascontiguousarray(one) for one in given]
        try:
            self._request = self._request or self._compiled.create_infer_request()
            for i, array in enumerate(given):
                self._request.set_input_tensor(i, self._openvino.Tensor(array, shared_memory=True))
            # `infer` would return as if all were well where memory runs out; waiting raises.
            self._request.start_async()
            self._request.wait()
            # Copied, because the next run writes into the same memory.
            return np.array(self._request.get_output_tensor(0).data, np.float32)
        except Exception as error:  # as above
            # It would go on asking for the memory that it did not get.
            self._request = None
            problem = last_line(error)
            if isinstance(error, MemoryError) or any(sign in str(error).lower() for sign in OUT_OF_MEMORY):
                raise OutOfMemoryError(f"OpenVINO: {problem}") from error
            raise RestoreError(f"OpenVINO failed ({problem}); use --backend torch") from error

    def budget(self, wanted: int) -> PixelBudget:
        """See `Runtime`."""
        most = min(wanted, self._most)
        return PixelBudget(most, most)


def load() -> Any:
    """The package; UnavailableError if it cannot be loaded, or something else has its name."""
    known = CONVERTER in sys.modules
    sys.modules.setdefault(CONVERTER, None)  # type: ignore[arg-type]
    try:
        import openvino
    except Exception as error:  # whatever a broken package raises, or another program of that name
        raise UnavailableError(f"OpenVINO cannot be loaded: {last_line(error)}") from error
    finally:
        if not known:
            sys.modules.pop(CONVERTER, None)  # another thread may have been faster
    if not hasattr(openvino, "Core"):
        # Python takes any file or folder of that name beside the program for it.
        raise UnavailableError(f"something else is called openvino: {openvino}")
    return openvino


def precisions() -> tuple[Precision, ...]:
    """Those that it has on this processor; UnavailableError as for `load`."""
    there = load().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    named: dict[str, Precision] = {"FP32": "float32", "BF16": "bfloat16", "FP16": "float16"}
    return tuple(named[name] for name in there if name in named)
