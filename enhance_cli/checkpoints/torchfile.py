"""The two containers of torch.save: a zip archive since PyTorch 1.6, one pickle after the other before."""

from __future__ import annotations

import io
import re
import sys
import zipfile
import zlib
from pathlib import Path
from struct import error as StructError

from torch import Tensor

from enhance_cli.checkpoints.limits import MAX_PICKLE, shown
from enhance_cli.checkpoints.pickles import Node, Storage, read_pickle
from enhance_cli.checkpoints.statedict import find_tensors, item_size, load_tensors
from enhance_cli.errors import ModelError

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
LEGACY_PROTOCOL = 1001
LENGTH = 8
"""Bytes before a legacy storage that say how many elements follow."""
PROGRAM = re.compile("[^/]+/(constants[.]pkl|code/.*)", re.DOTALL)
"""Entries that torch.jit.save writes and torch.save does not."""
ENCRYPTED = 1
"""Bit of a zip entry's flags."""


def read_zip(path: Path) -> dict[str, Tensor]:
    """Tensors of a file by torch.save since 1.6, wrappers undone; ModelError if it is anything else."""
    try:
        with zipfile.ZipFile(path) as archive:
            return _Archive(archive, path.stat().st_size).tensors()
    except (
        zipfile.BadZipFile,
        NotImplementedError,
        RuntimeError,
        EOFError,
        ValueError,
        LookupError,
        OverflowError,
        StructError,
        zlib.error,
    ) as error:
        raise ModelError(
            f"is a zip archive that is cut off or damaged ({shown(error)}); download it again"
        ) from error


def read_legacy(path: Path) -> dict[str, Tensor]:
    """Tensors of a file by torch.save before 1.6, wrappers undone; ModelError if it is anything else."""
    with path.open("rb") as file:
        return _Legacy(file, path.stat().st_size).tensors()


class _Archive:
    """`NAME/data.pkl` is the pickle, `NAME/data/KEY` the storages, `NAME/byteorder` says "little"."""

    def __init__(self, archive: zipfile.ZipFile, file_size: int) -> None:
        self.archive, self.file_size = archive, file_size
        infos = archive.infolist()
        self.entries = {info.filename: info for info in infos}
        # Before anything else: its programs lie there compressed.
        if any(PROGRAM.fullmatch(name) for name in self.entries):
            raise ModelError("is a TorchScript program; save its state_dict() with torch.save instead")
        if len(self.entries) < len(infos):
            raise ModelError("its zip archive holds an entry twice, which PyTorch never writes; refused")
        if any(info.flag_bits & ENCRYPTED for info in infos):
            raise ModelError("its zip archive is encrypted; unpack it and save the weights again")
        # Entries of torch.save are stored as they are, so together they cannot be larger than the file.
        if any(info.compress_type != zipfile.ZIP_STORED or info.file_size > file_size for info in infos):
            raise ModelError("its zip archive is compressed, which PyTorch never does; save it again")
        if sum(info.file_size for info in infos) > file_size:
            raise ModelError(f"its zip archive claims more than the {file_size} bytes it has; it is hostile")
        self.name = self._name()

    def _name(self) -> str:
        """The folder that everything is in."""
        names = [name for name in self.entries if name.count("/") == 1 and name.endswith("/data.pkl")]
        if len(names) != 1:
            raise ModelError("is a zip archive, but not of PyTorch (no data.pkl); unpack it")
        return names[0].removesuffix("/data.pkl")

    def tensors(self) -> dict[str, Tensor]:
        order = f"{self.name}/byteorder"
        if order in self.entries:
            _check_byte_order(bytes(self._content(order, MAX_PICKLE)) == b"little")
        root = read_pickle(io.BytesIO(self._content(f"{self.name}/data.pkl", MAX_PICKLE))).root
        return load_tensors(find_tensors(root), self._storage, self.file_size)

    def _storage(self, storage: Storage, n_bytes: int) -> bytearray:
        name = f"{self.name}/data/{storage.key}"
        if name not in self.entries:
            raise ModelError(f"lacks storage {shown(storage.key)} of its weights; download it again")
        there = self.entries[name].file_size
        if there < n_bytes:
            raise ModelError(
                f"storage {shown(storage.key)} should have {n_bytes} bytes but has {there}; download it again"
            )
        return self._content(name, there)

    def _content(self, name: str, limit: int) -> bytearray:
        info = self.entries[name]
        if info.file_size > limit:
            raise ModelError(f"{shown(name)} in it has {info.file_size} bytes, over {limit}; it is hostile")
        content = bytearray(self.archive.read(info))  # checks the CRC
        if len(content) != info.file_size:
            raise EOFError(f"{name} is short")
        return content


class _Legacy:
    """Pickles of a magic number, a protocol, facts about the machine, the object and its storages' keys, then
    for each key the number of elements and the elements.
    """

    def __init__(self, file: io.BufferedReader, file_size: int) -> None:
        self.file, self.file_size = file, file_size
        self.starts: dict[str, int] = {}

    def tensors(self) -> dict[str, Tensor]:
        window = io.BytesIO(self.file.read(MAX_PICKLE))
        if read_pickle(window).root != LEGACY_MAGIC:
            raise ModelError("is a pickle, but not of torch.save; save the weights with that")
        protocol, machine = read_pickle(window).root, read_pickle(window).root
        if protocol != LEGACY_PROTOCOL:
            raise ModelError("is of an unknown PyTorch version; save the weights again as safetensors")
        _check_byte_order(not isinstance(machine, dict) or machine.get("little_endian") is not False)
        pickled = read_pickle(window)
        self._locate(read_pickle(window).root, pickled.storages, window.tell())
        return load_tensors(find_tensors(pickled.root), self._storage, self.file_size)

    def _locate(self, keys: Node, storages: dict[str, Storage], position: int) -> None:
        """Where each storage begins; ModelError unless all of them lie within the file."""
        for key in keys if isinstance(keys, list) else [None]:
            if not isinstance(key, str) or key not in storages:
                raise ModelError("its list of storages is damaged; download it again")
            self.file.seek(position)
            numel = int.from_bytes(self.file.read(LENGTH), "little", signed=True)
            self.starts[key] = position + LENGTH
            position += LENGTH + storages[key].numel * item_size(storages[key])
            if numel != storages[key].numel or position > self.file_size:
                raise ModelError(
                    f"storage {shown(key)} is cut off or of another size than declared; download it again"
                )

    def _storage(self, storage: Storage, n_bytes: int) -> bytearray:
        if storage.key not in self.starts:
            raise ModelError(f"lacks storage {shown(storage.key)} of its weights; download it again")
        self.file.seek(self.starts[storage.key])
        content = bytearray(n_bytes)
        if self.file.readinto(content) != n_bytes:
            raise ModelError("became shorter while it was read; download it again")
        return content


def _check_byte_order(little: bool) -> None:
    if not (little and sys.byteorder == "little"):
        raise ModelError("has another byte order than this machine; save it as safetensors there")
