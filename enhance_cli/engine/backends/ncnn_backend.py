"""ncnn: fast convolutions on CPUs, by Winograd at any vector width, for what `trace` can write down."""

from __future__ import annotations

import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from enhance_cli.engine.backends.graph import Graph, Unsupported
from enhance_cli.engine.backends.ncnn_model import LEVEL_NAME, PICTURE_NAME, RESULT_NAME, Model
from enhance_cli.errors import RestoreError

OUT_OF_MEMORY = -100
"""What ncnn returns then."""


def installed() -> bool:
    """Whether the package is there; it is not loaded."""
    return find_spec("ncnn") is not None


class NcnnBackend:
    """A converted network.  float32 throughout; as many threads as torch has."""

    def __init__(self, graph: Graph, model: Model) -> None:
        """Unsupported if ncnn cannot be loaded, or refuses what was written for it."""
        try:
            import ncnn
        except (ImportError, OSError) as error:
            raise Unsupported(f"an ncnn that cannot be loaded: {error}") from error
        self._mat = ncnn.Mat
        self._level = graph.level
        self._pools = (ncnn.PoolAllocator(), ncnn.PoolAllocator())
        for pool in self._pools:
            # Of a larger tile's memory, smaller tiles take what they need.
            pool.set_size_compare_ratio(0.0)
        self._largest = 0
        self._net = net = ncnn.Net()
        option = net.opt
        option.num_threads = torch.get_num_threads()
        option.lightmode = True
        option.use_vulkan_compute = False
        for name in ("fp16_packed", "fp16_storage", "fp16_arithmetic", "bf16_storage", "bf16_packed"):
            if hasattr(option, f"use_{name}"):
                setattr(option, f"use_{name}", False)
        try:
            refused = _load(net, model)
        except OSError as error:
            raise Unsupported(f"a temporary folder that cannot be written: {error}") from error
        if refused:
            raise Unsupported("its own ncnn files, which this ncnn refuses")

    def __call__(self, x: Tensor, condition: Tensor | None) -> Tensor:
        """See `Backend`."""
        extractor = self._extractor(x.numel())
        extractor.input(PICTURE_NAME, self._given(x[0].numpy()))
        if self._level is not None and condition is not None:
            sides = (n // self._level.shrink for n in x.shape[2:])
            value = np.full((self._level.channels, *sides), float(condition), np.float32)
            extractor.input(LEVEL_NAME, self._given(value))
        code, result = extractor.extract(RESULT_NAME)
        if code == OUT_OF_MEMORY:
            raise MemoryError("ncnn ran out of memory")
        if code:
            raise RestoreError(f"ncnn failed with code {code}; use --backend torch")
        # Copied, because the memory goes with the net.
        return torch.from_numpy(np.array(result, np.float32))[None]

    def _extractor(self, size: int) -> Any:
        """One run.  Memory that was freed is kept for the next ones, unless it is too small for them."""
        blobs, workspace = self._pools
        if size > self._largest:
            self._largest = size
            blobs.clear()
            workspace.clear()
        extractor = self._net.create_extractor()
        extractor.set_blob_allocator(blobs)
        extractor.set_workspace_allocator(workspace)
        return extractor

    def _given(self, array: np.ndarray[Any, Any]) -> Any:
        # The Mat borrows the array's memory without keeping it alive; and layers that work in place would
        # write into it.
        whole = np.ascontiguousarray(array)
        return self._mat(whole).clone()


def _load(net: Any, model: Model) -> bool:
    """Give a net its layers and weights; whether it refuses them."""
    with tempfile.TemporaryDirectory(prefix="enhance-") as folder:
        # By way of a file: from memory, ncnn would go on using bytes that Python has freed.
        weights = Path(folder) / "weights.bin"
        weights.write_bytes(model.weights)
        return bool(net.load_param_mem(model.param) or net.load_model(str(weights)))
