"""Checkpoint files made by hand: as old versions of PyTorch and MATLAB wrote them, and as no friend would."""

import io
import pickle
import sys
import zipfile
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import h5py
import numpy as np
import pytest
import torch

from enhance_cli.checkpoints.raw import Raw, read_raw
from enhance_cli.errors import ModelError

MAGIC = 0x1950A86A20F9469CFC6C


class Call:
    """Pickled as the call of a function, and the state given to what it returns."""

    def __init__(self, function: Any, *args: Any, state: Any = None) -> None:
        self.function, self.args, self.state = function, args, state

    def __reduce__(self) -> tuple:
        return (self.function, self.args) if self.state is None else (self.function, self.args, self.state)


class Outside:
    """Pickled as a persistent id."""

    def __init__(self, *identity: Any) -> None:
        self.identity = identity


class _Pickler(pickle.Pickler):
    def persistent_id(self, obj: Any) -> Any:
        return obj.identity if isinstance(obj, Outside) else None


def dumps(obj: Any, protocol: int = 2) -> bytes:
    stream = io.BytesIO()
    _Pickler(stream, protocol).dump(obj)
    return stream.getvalue()


def storage(numel: int, key: str = "0", kind: Any = torch.FloatStorage, view: Any = ()) -> Outside:
    """`view` is a tuple of one: None or (key, offset, size), as the legacy format has it."""
    return Outside("storage", kind, key, "cpu", numel, *view)


def tensor(store: Any, shape: Any, stride: Any, offset: Any = 0) -> Call:
    return Call(torch._utils._rebuild_tensor_v2, store, offset, shape, stride, False, OrderedDict())


def write_zip(path: Path, pickled: bytes, storages: Mapping[str, bytes], **entries: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("net/data.pkl", pickled)
        archive.writestr("net/version", "3\n")
        for key, content in storages.items():
            archive.writestr(f"net/data/{key}", content)
        for name, content in entries.items():
            archive.writestr(f"net/{name}", content)
    return path


def write_legacy(
    path: Path, pickled: bytes, storages: Mapping[str, np.ndarray], little_endian: bool = True
) -> Path:
    facts = {"protocol_version": 1001, "little_endian": little_endian, "type_sizes": {"int": 4}}
    parts = [dumps(MAGIC), dumps(1001), dumps(facts), pickled, dumps(list(storages))]
    for content in storages.values():
        parts += [content.size.to_bytes(8, "little"), content.tobytes()]
    path.write_bytes(b"".join(parts))
    return path


@contextmanager
def module_named(name: str, **members: Any) -> Iterator[ModuleType]:
    """A module that can be imported inside the block only, and claims its members as its own."""
    module = ModuleType(name)
    for key, member in members.items():
        member.__module__, member.__qualname__ = name, key
        setattr(module, key, member)
    before = sys.modules.get(name)
    sys.modules[name] = module
    try:
        yield module
    finally:
        del sys.modules[name]
        if before is not None:
            sys.modules[name] = before


@contextmanager
def matlab_file(path: Path) -> Iterator[tuple[h5py.File, Any]]:
    """An HDF5 file behind MATLAB's 512 bytes, and `layer(type, weights...)` that adds to net/layers."""
    references = []

    def cells(group: h5py.Group, name: str, targets: list) -> None:
        dataset = group.create_dataset(name, (len(targets), 1), h5py.ref_dtype)
        for i, target in enumerate(targets):
            dataset[i, 0] = target.ref

    with h5py.File(path, "w", userblock_size=512, libver=("earliest", "v110")) as file:
        pool, net = file.create_group("#refs#"), file.create_group("net")

        def layer(kind: str, *weights: Any) -> h5py.Group:
            group = pool.create_group(f"layer{len(references)}")
            group["type"] = np.array([[ord(letter)] for letter in kind], "u2")
            if weights:
                made = [
                    given
                    if isinstance(given, h5py.HLObject)
                    else pool.create_dataset(f"{len(references)}-{i}", data=given)
                    for i, given in enumerate(weights)
                ]
                cells(group, "weights", made)
            references.append(group)
            return group

        yield file, layer
        if "layers" not in net:
            cells(net, "layers", references)
    content = path.read_bytes()
    path.write_bytes(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(512) + content[512:])


def refusal(path: Path) -> str:
    """The message that the file is refused with, checked to be one line that begins with the path."""
    with pytest.raises(ModelError) as caught:
        read_raw(path)
    message = str(caught.value)
    assert message.isprintable()
    assert str(path) in message
    return message


def outcome(path: Path) -> Raw | ModelError:
    """What reading gives; any other exception is the test's failure."""
    try:
        return read_raw(path)
    except ModelError as error:
        return error
