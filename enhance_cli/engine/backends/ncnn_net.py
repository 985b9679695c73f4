"""One graph loaded into ncnn."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from enhance_cli.engine.backends.converted import Maps
from enhance_cli.engine.backends.graph import Graph, Unsupported
from enhance_cli.engine.backends.ncnn_model import LEVEL_NAME, PICTURE_NAME, RESULT_NAME, Model, write
from enhance_cli.errors import RestoreError

OUT_OF_MEMORY = -100
"""What ncnn returns then."""


class Pools:
    """Memory that was freed, kept for the next runs; nets that never run at once may share it."""

    def __init__(self) -> None:
        """Unsupported if ncnn cannot be loaded."""
        ncnn = load()
        self._blobs, self._workspace = ncnn.PoolAllocator(), ncnn.PoolAllocator()
        for pool in (self._blobs, self._workspace):
            # Of a larger tile's memory, smaller tiles take what they need.
            pool.set_size_compare_ratio(0.0)
        self._largest = 0

    def lend(self, extractor: Any, size: int) -> None:
        """Have a run on a picture of so many numbers take its memory here."""
        if size > self._largest:
            # What there is is too small for it.
            self._largest = size
            self.clear()
        extractor.set_blob_allocator(self._blobs)
        extractor.set_workspace_allocator(self._workspace)

    def clear(self) -> None:
        """Give back what is not in use."""
        self._blobs.clear()
        self._workspace.clear()


class NcnnNet:
    """float32 throughout; as many threads as torch has."""

    def __init__(self, graph: Graph, pools: Pools | None = None) -> None:
        """Unsupported if ncnn cannot be loaded, or refuses what was written for it."""
        ncnn = load()
        self._mat = ncnn.Mat
        self._level = graph.level
        self._pools = pools or Pools()
        self._net = net = ncnn.Net()
        option = net.opt
        option.num_threads = torch.get_num_threads()
        option.lightmode = True
        option.use_vulkan_compute = False
        for name in ("fp16_packed", "fp16_storage", "fp16_arithmetic", "bf16_storage", "bf16_packed"):
            if hasattr(option, f"use_{name}"):
                setattr(option, f"use_{name}", False)
        try:
            refused = _load(net, write(graph))
        except OSError as error:
            raise Unsupported(f"a temporary folder that cannot be written: {error}") from error
        if refused:
            raise Unsupported("its own ncnn files, which this ncnn refuses")

    def run(self, x: Maps, level: float | None = None) -> Maps:
        """See `converted.Net`."""
        extractor = self._net.create_extractor()
        self._pools.lend(extractor, x.size)
        extractor.input(PICTURE_NAME, self._given(x))
        if self._level is not None and level is not None:
            sides = (n // self._level.shrink for n in x.shape[1:])
            value = np.full((self._level.channels, *sides), level, np.float32)
            extractor.input(LEVEL_NAME, self._given(value))
        code, result = extractor.extract(RESULT_NAME)
        if code == OUT_OF_MEMORY:
            self._pools.clear()
            raise MemoryError("ncnn ran out of memory")
        if code:
            raise RestoreError(f"ncnn failed with code {code}; use --backend torch")
        # Copied, because the memory goes with the net.
        return np.array(result, np.float32)

    def _given(self, array: Maps) -> Any:
        # The Mat borrows the array's memory without keeping it alive; and layers that work in place would
        # write into it.
        whole = np.ascontiguousarray(array)
        return self._mat(whole).clone()


def load() -> Any:
    """The package; Unsupported if it cannot be loaded."""
    try:
        import ncnn
    except Exception as error:  # whatever a broken package raises, or another program of that name
        raise Unsupported(f"an ncnn that cannot be loaded: {error}") from error
    if not hasattr(ncnn, "Net"):
        # Python takes any file or folder of that name beside the program for it.
        raise Unsupported(f"something else called ncnn: {ncnn}")
    return ncnn


def _load(net: Any, model: Model) -> bool:
    """Give a net its layers and weights; whether it refuses them."""
    with tempfile.TemporaryDirectory(prefix="enhance-") as folder:
        # By way of a file: from memory, ncnn would go on using bytes that Python has freed.
        weights = Path(folder) / "weights.bin"
        weights.write_bytes(model.weights)
        return bool(net.load_param_mem(model.param) or net.load_model(str(weights)))
