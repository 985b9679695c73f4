"""Writes a module down as ONNX, with torch's own exporter.

That is the exporter which runs the module once and listens.  The newer one (`dynamo=True`) takes 3 to 6
seconds where this one takes 0.1 to 0.2, and did not come back from attention in parts within minutes.  Should
torch give this one up, networks stay with torch until this file follows.
"""

from __future__ import annotations

import io
import logging
import warnings
from typing import Any, cast

import torch
from torch import Tensor, nn

from enhance_cli.arch.contract import ArchSpec
from enhance_cli.runtimes.contract import last_line

OPSET = 18
SIDE = 32
"""Of the picture with which the module is run."""


class ExportError(Exception):
    """A module cannot be written down; the text says why, in a few words."""


class _Result(nn.Module):
    """The one of several outputs that is the result."""

    def __init__(self, module: nn.Module, output: int) -> None:
        super().__init__()
        self.module, self.output = module, output

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.module(*inputs)[self.output]


def export(module: nn.Module, spec: ArchSpec) -> bytes:
    """The module as an ONNX file, for pictures and batches of any size.

    Inputs "x" and, for networks that are told one, "condition"; output "y".
    `module`: float32, on the CPU, in eval mode.  ExportError where that cannot be.
    """
    side = -(-max(SIDE, spec.minimum) // spec.multiple) * spec.multiple
    inputs = [torch.rand(2, 3 if spec.colour == "rgb" else 1, side, side + spec.multiple) * spec.value_range]
    if spec.condition:
        inputs.append(torch.full((2, 1, 1, 1), 0.1))
    axes = {"x": {0: "n", 2: "h", 3: "w"}, "condition": {0: "n"}, "y": {0: "n", 2: "sh", 3: "sw"}}
    file = io.BytesIO()
    told: list[warnings.WarningMessage] = []
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            options: dict[str, Any] = {"dynamo": False, "opset_version": OPSET, "dynamic_axes": axes}
            torch.onnx.export(
                module if spec.output is None else _Result(module, spec.output),
                tuple(inputs),
                cast(Any, file),  # says that it wants a path, and takes both
                input_names=["x", "condition"][: len(inputs)],
                output_names=["y"],
                **options,
            )
    except Exception as error:  # the exporter has many kinds, and versions without it have others
        raise ExportError(f"torch cannot export it: {last_line(error)}") from error
    finally:
        logging.disable(before)
    for warning in told:
        # A size or a value that became a number of Python's is right for this one picture only.
        if issubclass(warning.category, torch.jit.TracerWarning):
            raise ExportError("what it computes depends on the size of the picture")
    return file.getvalue()
