"""ncnn: people's own `.param` and `.bin` files, on the CPU."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from enhance_cli.arch.contract import ArchSpec
from enhance_cli.errors import ModelError, RestoreError
from enhance_cli.runtimes.contract import Batch, OutOfMemoryError, PixelBudget, Precision, last_line
from enhance_cli.runtimes.graph import load_package

MAGIC = "7767517"
"""First line of every `.param` file."""
OUT_OF_MEMORY = -100
"""What ncnn returns then."""
PIXELS = 1 << 18
"""Largest area of a tile: what layers need is not known before they run."""


class NcnnRuntime:
    """A pair of ncnn's files, in float32 throughout; see `Runtime`."""

    name = "ncnn"
    device = "cpu"
    precision: Precision = "float32"

    def __init__(
        self, param: Path, weights: Path, spec: ArchSpec, *, threads: int = 1, notes: tuple[str, ...] = ()
    ) -> None:
        """`spec`: of the network, which the files do not tell.

        UnavailableError if ncnn cannot be loaded; ModelError if the files are not what it reads, or want more
        than a picture.
        """
        self.spec, self.notes = spec, notes
        self._input, self._output = input_and_output(param)
        self._ncnn = load_package("ncnn", "ncnn", "Net")
        self._net = net = self._ncnn.Net()
        net.opt.num_threads = threads
        net.opt.use_vulkan_compute = False
        for option in ("fp16_packed", "fp16_storage", "fp16_arithmetic", "bf16_storage", "bf16_packed"):
            if hasattr(net.opt, f"use_{option}"):
                setattr(net.opt, f"use_{option}", False)
        if net.load_param(str(param)) or net.load_model(str(weights)):
            raise ModelError(f"ncnn cannot read {param} with {weights}; check that they belong together")

    def __call__(self, x: Batch, condition: float | None) -> Batch:
        """See `Runtime`; pictures one after the other, for ncnn has no batches."""
        results = []
        for one in x:
            extractor = self._net.create_extractor()
            # The Mat borrows the array's memory, and layers that work in place would write into it.
            extractor.input(self._input, self._ncnn.Mat(np.ascontiguousarray(one)).clone())
            code, result = extractor.extract(self._output)
            if code == OUT_OF_MEMORY:
                raise OutOfMemoryError("ncnn ran out of memory")
            if code:
                raise RestoreError(f"ncnn failed with code {code}; give another --model")
            # Copied, because the memory goes with the extractor.
            results.append(np.array(result, np.float32))
        return np.stack(results)

    def budget(self, wanted: int) -> PixelBudget:
        """See `Runtime`."""
        most = min(wanted, PIXELS)
        return PixelBudget(most, most)


def input_and_output(param: Path) -> tuple[str, str]:
    """Their names in a `.param` file; a line holds kind, name, numbers of inputs and outputs, their names."""
    try:
        lines = [line.split() for line in param.read_text(encoding="utf-8").splitlines() if line.strip()]
        if lines[0] != [MAGIC]:
            raise ModelError(f"{param} is no ncnn file: its first line is not {MAGIC}")
        layers = [(words[0], int(words[2]), int(words[3]), words[4:]) for words in lines[2:]]
        inputs = [names[n_in] for kind, n_in, _, names in layers if kind == "Input"]
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"cannot read {param}: {last_line(error)}") from error
    except (IndexError, ValueError) as error:
        raise ModelError(f"{param} is no ncnn file, or cut off") from error
    taken = {name for _, n_in, _, names in layers for name in names[:n_in]}
    made = [name for _, n_in, n_out, names in layers for name in names[n_in : n_in + n_out]]
    outputs = [name for name in made if name not in taken]
    if len(inputs) != 1 or len(outputs) != 1:
        found = f"{len(inputs)} inputs and {len(outputs)} outputs"
        raise ModelError(f"{param} has {found}; only networks with one of each can be run")
    return inputs[0], outputs[0]
