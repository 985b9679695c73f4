"""One graph compiled by OpenVINO: convolutions blocked for wide vectors, dilated ones among them."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from enhance_cli.engine.backends.converted import Maps
from enhance_cli.engine.backends.graph import LEVEL, Graph, Unsupported
from enhance_cli.engine.backends.openvino_model import write
from enhance_cli.engine.backends.sizes import sizes
from enhance_cli.errors import RestoreError

CONVERTER = "openvino.tools.ovc"
"""What reads other people's models.  As soon as it is imported it writes into the user's home and tells its
makers over the network; nothing of it is needed here."""
OUT_OF_MEMORY = ("alloc", "memory")
"""What errors say then, in lower case."""
SIZES = 64
"""Shapes of layers whose preparation is kept.  Unasked it keeps 5000 of them: half a megabyte or more for
each size of picture, all through a batch."""


class OpenvinoNet:
    """float32 throughout; as many threads as torch has.  Compiled once for all sizes."""

    def __init__(self, graph: Graph) -> None:
        """Unsupported if OpenVINO cannot be loaded, or refuses what was written for it."""
        self._graph = graph
        self._openvino = load()
        try:
            self._request = self._compiled()
        except Exception as error:  # its own kinds, and Python's where a version takes other arguments
            raise Unsupported(f"what this OpenVINO refuses: {_last_line(error)}") from error

    def run(self, x: Maps, level: float | None = None) -> Maps:
        """See `converted.Net`."""
        found = sizes(self._graph, *x.shape[1:])
        out = np.empty(found[self._graph.output], np.float32)
        # The request borrows the arrays' memory without keeping them alive.
        given = [np.ascontiguousarray(x)]
        if self._graph.level is not None and level is not None:
            given.append(np.full(found[LEVEL], level, np.float32))
        try:
            self._infer(given, out)
        except Exception as error:  # as above
            # It would go on asking for the memory that it did not get.
            self._request = None
            problem = _last_line(error)
            if isinstance(error, MemoryError) or any(sign in str(error).lower() for sign in OUT_OF_MEMORY):
                raise MemoryError(f"OpenVINO: {problem}") from error
            raise RestoreError(f"OpenVINO failed ({problem}); use --backend torch") from error
        return out

    def _infer(self, given: Sequence[Maps], out: Maps) -> None:
        if self._request is None:
            self._request = self._compiled()
        tensor = self._openvino.Tensor
        for i, array in enumerate(given):
            self._request.set_input_tensor(i, tensor(array[None], shared_memory=True))
        self._request.set_output_tensor(tensor(out[None], shared_memory=True))
        # `infer` would return as if all were well where memory runs out; waiting raises.
        self._request.start_async()
        self._request.wait()

    def _compiled(self) -> Any:
        # Unasked it computes in bfloat16 where the processor can, and ties threads to cores, of which two
        # processes would take the same.
        settings = {
            "INFERENCE_PRECISION_HINT": "f32",
            "EXECUTION_MODE_HINT": "ACCURACY",
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": "1",
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
            "ENABLE_CPU_PINNING": False,
            "CACHE_DIR": "",
            "CPU_RUNTIME_CACHE_CAPACITY": SIZES,
        }
        model = write(self._graph, self._openvino)
        return self._openvino.Core().compile_model(model, "CPU", settings).create_infer_request()


def load() -> Any:
    """The package; Unsupported if it cannot be loaded."""
    try:
        with _without(CONVERTER):
            import openvino
    except Exception as error:  # whatever a broken package raises, or another program of that name
        raise Unsupported(f"an OpenVINO that cannot be loaded: {_last_line(error)}") from error
    if not hasattr(openvino, "opset13"):
        # Python takes any file or folder of that name beside the program for it.
        raise Unsupported(f"something else called openvino, or an old one: {openvino}")
    return openvino


@contextmanager
def _without(module: str) -> Iterator[None]:
    """Have it not be found meanwhile, unless it is there already."""
    known = module in sys.modules
    sys.modules.setdefault(module, None)  # type: ignore[arg-type]
    try:
        yield
    finally:
        if not known:
            sys.modules.pop(module, None)  # another thread may have been faster


def _last_line(error: Exception) -> str:
    # The lines before tell places in its source.
    return (str(error).strip() or type(error).__name__).splitlines()[-1].strip()
