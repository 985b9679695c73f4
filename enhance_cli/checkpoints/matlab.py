"""MatConvNet networks (SimpleNN) in MATLAB v7.3 files, which are HDF5.

`net/layers` holds object references to groups; that of a convolution has `type` "conv" and `weights`, two
references to its filters and bias. Axes come out reversed: MATLAB's filters [kh, kw, cin, cout] are
[cout, cin, kw, kh] here, and a last axis of 1 is not stored.

Links are not followed and nothing outside the file is read. The HDF5 library itself is C and parses the file.
"""

from __future__ import annotations

from math import ceil, prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from enhance_cli.checkpoints.limits import check_elements, shown
from enhance_cli.errors import ModelError

if TYPE_CHECKING:  # h5py is loaded for such files only
    import h5py

MAX_LAYERS = 4096
"""Layers in a network; published ones have under 100."""
MAX_TYPE = 64
"""Characters of a layer's type."""
N_DIMS = 4
DAMAGE = (OSError, RuntimeError, LookupError, ValueError, TypeError, AttributeError, OverflowError)
"""What h5py raises for files that are not as they should be."""
WITHOUT_WEIGHTS = frozenset({"relu", "SubP", "concat", "loss"})
"""Layers between convolutions that the networks here are built with."""


def read_matconvnet(path: Path) -> dict[str, Tensor]:
    """`layers.I.weight` [cout, cin, kh, kw] and `layers.I.bias` [cout], float32, of the I-th convolution.

    ModelError if the file is damaged, holds no such network, or a layer that has no place here.
    """
    import h5py

    try:
        with h5py.File(path, "r") as file:
            return _Network(file, path.stat().st_size).convolutions()
    except DAMAGE as error:
        raise ModelError(
            f"is a cut off, damaged or unusual MATLAB v7.3 file ({shown(error)}); save it again with -v7.3"
        ) from error


class _Network:
    """An open file, and how many numbers were read from it so far."""

    def __init__(self, file: h5py.File, file_size: int) -> None:
        self.file, self.file_size, self.n_elements = file, file_size, 0

    def convolutions(self) -> dict[str, Tensor]:
        tensors: dict[str, Tensor] = {}
        layers = self._child(self._child(self.file, "net"), "layers")
        n_convolutions = 0
        for group in self._references(layers, MAX_LAYERS):
            letters = self._child(group, "type")
            if letters.dtype.kind != "u":
                raise ValueError("a layer's type is no text")
            kind = "".join(chr(code) for code in self._values(letters, MAX_TYPE).flat)
            if kind == "conv":
                tensors |= self._convolution(group, f"layers.{n_convolutions}")
                n_convolutions += 1
            elif kind not in WITHOUT_WEIGHTS:
                raise ModelError(f"has a layer of type {shown(kind)!r}; only convolutions can be taken")
        if not tensors:
            raise ModelError("has no convolution in net/layers; save the trained MatConvNet network as net")
        return tensors

    def _convolution(self, group: h5py.Group, name: str) -> dict[str, Tensor]:
        filters, *rest = self._references(self._child(group, "weights"), 2)
        array = self._floats(filters)
        weight = array.reshape((1,) * (N_DIMS - array.ndim) + array.shape).swapaxes(2, 3)
        tensors = {f"{name}.weight": torch.from_numpy(np.ascontiguousarray(weight))}
        if rest and "MATLAB_empty" not in rest[0].attrs:
            bias = self._floats(rest[0]).ravel()
            if bias.size != len(weight):
                raise ModelError(f"{name} has {len(weight)} filters but {bias.size} biases; it is damaged")
            tensors[f"{name}.bias"] = torch.from_numpy(bias)
        return tensors

    def _child(self, group: Any, name: str) -> Any:
        """A member that lies in the group itself."""
        import h5py

        link = group.get(name, getlink=True) if isinstance(group, h5py.Group) else None
        if link is None:
            raise ModelError(f"has no {name!r} of a MatConvNet network; save that as net, with net.layers")
        if not isinstance(link, h5py.HardLink):
            raise ModelError(f"its {name!r} is a link elsewhere, which MATLAB never writes; refused")
        return group[name]

    def _references(self, dataset: Any, limit: int) -> list[Any]:
        """The objects that a cell array refers to."""
        import h5py

        if not isinstance(dataset, h5py.Dataset) or h5py.check_ref_dtype(dataset.dtype) is not h5py.Reference:
            raise ModelError("its layers are no cell arrays; save a MatConvNet SimpleNN network with -v7.3")
        return [self.file[reference] for reference in self._values(dataset, limit).flat]

    def _floats(self, dataset: Any) -> np.ndarray:
        if dataset.dtype.kind != "f" or not dataset.size or dataset.ndim > N_DIMS:
            raise ValueError("filters that are no array of floats")
        self.n_elements += dataset.size
        check_elements(self.n_elements, self.file_size)
        return self._values(dataset, dataset.size).astype(np.float32, copy=False)

    def _values(self, dataset: h5py.Dataset, limit: int) -> np.ndarray:
        """The numbers, if there are no more than `limit` and all of them lie in this file."""
        if not dataset.size or dataset.size > limit:
            raise ModelError(
                f"has {dataset.size} entries where 1 to {limit} can be; it is damaged or hostile"
            )
        self._check_stored(dataset)
        return dataset[()]

    def _check_stored(self, dataset: h5py.Dataset) -> None:
        """ModelError for data elsewhere, unknown filters (loaded as plug-ins), and data that is not there."""
        from h5py import h5d, h5z

        plan = dataset.id.get_create_plist()
        filters = {plan.get_filter(i)[0] for i in range(plan.get_nfilters())}
        if plan.get_layout() not in (h5d.COMPACT, h5d.CONTIGUOUS, h5d.CHUNKED) or plan.get_external_count():
            raise ModelError("keeps weights outside of the file, which MATLAB never does; refused")
        if not filters <= {h5z.FILTER_DEFLATE, h5z.FILTER_SHUFFLE, h5z.FILTER_FLETCHER32}:
            raise ModelError("is compressed as MATLAB never does; save it again with -v7.3")
        stored = dataset.id.get_storage_size()
        if dataset.chunks is None:
            missing = stored != dataset.size * dataset.dtype.itemsize
        else:
            check_elements(prod(dataset.chunks), self.file_size)
            wanted = prod(ceil(n / chunk) for n, chunk in zip(dataset.shape, dataset.chunks, strict=True))
            missing = dataset.id.get_num_chunks() != wanted
        if missing or stored > self.file_size:
            raise ModelError("declares weights that are not in the file; it is damaged or hostile")
