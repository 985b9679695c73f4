"""Plain chains of 3x3 convolutions, as which Zhang et al. publish DnCNN, FDnCNN, IRCNN and FFDNet.

Their key names are the same; what a chain is shows in its first and last channels and in its length.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from torch import Tensor

from enhance_cli.checkpoints.layouts.contract import Tensors, zeros_for_batches

KEY = re.compile(r"model\.(\d+)\.(weight|bias|running_mean|running_var|num_batches_tracked)")
MATLAB_KEY = re.compile(r"layers\.(\d+)\.(weight|bias)")
IRCNN_LAYERS = 7
"""No DnCNN was published with so few."""


@dataclass(frozen=True, kw_only=True)
class Chain:
    """What the shapes of a chain tell."""

    n_in: int
    n_feats: int
    n_out: int
    n_layers: int
    batch_norm: bool
    tensors: dict[str, Tensor]
    """Under KAIR's keys: model.0, model.2, ..., or with batch norm model.0, model.2, model.3, model.5, ..."""
    matlab: bool = False
    """Read from a MatConvNet file."""

    @property
    def keys(self) -> str:
        """Whose file it is, for the title."""
        return "MatConvNet" if self.matlab else "KAIR keys"

    @property
    def dilated(self) -> bool:
        """An IRCNN."""
        return self.n_layers == IRCNN_LAYERS and not self.batch_norm


def read_chain(tensors: Tensors) -> Chain | None:
    """The chain under KAIR's keys, or `layers.0`, `layers.1`, ... of a MATLAB file; None if it is none."""
    matlab = _is_matlab(tensors)
    if matlab:
        tensors = _kair_keys(tensors)
    if not all(KEY.fullmatch(key) for key in tensors):
        return None
    convolutions = sorted((_index(key), tuple(one.shape)) for key, one in tensors.items() if one.ndim == 4)
    shapes = [shape for _, shape in convolutions]
    if len(shapes) < 2 or any(shape[2:] != (3, 3) for shape in shapes):
        return None
    return Chain(
        n_in=shapes[0][1],
        n_feats=shapes[0][0],
        n_out=shapes[-1][0],
        n_layers=len(shapes),
        batch_norm=any(key.endswith("running_mean") for key in tensors),
        tensors=zeros_for_batches(tensors),
        matlab=matlab,
    )


def _is_matlab(tensors: Tensors) -> bool:
    """Convolutions counted without gaps, where an nn.Sequential of that name would have gaps."""
    if not all(MATLAB_KEY.fullmatch(key) for key in tensors):
        return False
    indices = {_index(key) for key in tensors}
    return indices == set(range(len(indices)))


def _index(key: str) -> int:
    return int(key.split(".")[1])


def _kair_keys(tensors: Tensors) -> dict[str, Tensor]:
    """Convolutions 0, 1, 2, ... are at 0, 2, 4, ... where the ReLU between them count as well."""
    return {f"model.{2 * _index(key)}.{key.split('.')[2]}": tensor for key, tensor in tensors.items()}
