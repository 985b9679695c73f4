"""What the engine asks of a runtime, and what a runtime is told.  No torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

from enhance_cli.arch.contract import ArchSpec

if TYPE_CHECKING:
    # Not even NumPy: the command line takes its choices from here.
    import numpy as np
    from numpy.typing import NDArray
    from torch import nn

Precision = Literal["float32", "bfloat16", "float16"]
Backend = Literal["torch", "openvino", "onnxruntime"]
Batch: TypeAlias = "NDArray[np.float32]"
"""(N, C, H, W), C = 3 (RGB) or 1."""


@dataclass(frozen=True, kw_only=True)
class RuntimeSettings:
    """Where and how a network is to be computed.  What is asked for and not there is an error."""

    device: str = "auto"
    """"auto", "cpu", "cuda", "cuda:N", "mps", or "directml" for ONNX Runtime."""
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """"auto" is the fastest that cannot be told from float32."""
    backend: Literal["auto", "torch", "openvino", "onnxruntime"] = "auto"
    threads: int | None = None
    """CPU threads; None: as many as the process may use processors."""


@dataclass(frozen=True, kw_only=True)
class NetworkSource:
    """A network that may not have been read yet.  Two with equal `sha256` and `variant` are the same."""

    name: str
    """For messages: the catalog name or the file's stem."""
    sha256: str
    """Of the weights file, lower-case hex."""
    variant: str = ""
    """What else decides on the network or its spec, for example the task, or the scale that was taken out of
    a file with several."""
    advice: str = "use another --model"
    """What to do where its results are unusable."""
    load: Callable[[], tuple[nn.Module, ArchSpec]]
    """Reads it: the module in float32 on the CPU, in eval mode, and its spec, as the task wants it.  Imports
    torch, and is called only where torch computes the network or nothing has been prepared for it."""


@dataclass(frozen=True)
class PixelBudget:
    """How many input pixels, of all pictures of a batch together, should go through a network at once."""

    most: int
    """As many as memory allows."""
    fast: int
    """Beyond it a pixel takes longer; equal to `most` where that is not so."""


class Runtime(Protocol):
    """A network that is ready to run.  Used by one thread at a time."""

    name: str
    """"torch", "openvino", "onnxruntime" or "ncnn"."""
    device: str
    """"cpu", "cuda", "cuda:N", "mps" or "directml"."""
    precision: Precision
    """Of the convolutions; inputs and results are float32."""
    spec: ArchSpec
    notes: tuple[str, ...]
    """What "auto" took and why, and what was prepared or could not be, one line each; for the record."""

    def __call__(self, x: Batch, condition: float | None) -> Batch:
        """x: (N, C, H, W) in 0..spec.value_range, H and W as the spec demands -> (N, C', sH, sW), float32.

        `condition`: one for the whole batch, for networks whose spec has one.  The result is the caller's.
        OutOfMemoryError where memory runs out, RestoreError where the runtime fails otherwise.
        """

    def budget(self, wanted: int) -> PixelBudget:
        """For a picture of so many input pixels; both numbers are at most `wanted`.

        May measure the network, if `wanted` is so much that memory could become a question.
        """


class OutOfMemoryError(Exception):
    """The device has too little memory for this input: give smaller tiles, or fewer at once."""


class UnavailableError(Exception):
    """A runtime cannot be loaded, or refuses a network; the text says why, in a few words."""


def last_line(error: Exception) -> str:
    """What an error of a runtime says, in one line: those before often tell places in its source."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
