"""The two containers of torch.save: a zip archive since PyTorch 1.6, one pickle after the other before."""

from __future__ import annotations

import io
import re
import sys
import zipfile
import zlib
from errno import EINVAL
from pathlib import Path
from struct import error as StructError

from torch import Tensor

from enhance_cli.checkpoints.limits import MAX_PICKLE, shown
from enhance_cli.checkpoints.pickles import Storage, read_pickle
from enhance_cli.checkpoints.statedict import find_tensors, load_tensors
from enhance_cli.errors import ModelError

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
LEGACY_PROTOCOL = 1001
LENGTH = 8
"""Bytes before a legacy storage that say how many elements follow."""
PROGRAM = re.compile("[^/]+/(constants[.]pkl|code/.*)", re.DOTALL)
"""Entries that torch.jit.save writes and torch.save does not."""
ENCRYPTED = 1
"""Bit of a zip entry's flags."""
DAMAGE = (
    zipfile.BadZipFile,
    NotImplementedError,
    RuntimeError,
    EOFError,
    ValueError,
    LookupError,
    OverflowError,
    StructError,
    zlib.error,
)
"""What the zip library raises for archives that are not as they should be."""


def read_zip(path: Path) -> dict[str, Tensor]:
    """Tensors of a file by torch.save since 1.6, wrappers undone; ModelError if it is anything else.

    `NAME/data.pkl` is the pickle, `NAME/data/KEY` are the storages, `NAME/byteorder` says "little".
    """
    try:
        with zipfile.ZipFile(path) as archive:
            file_size = path.stat().st_size
            entries = _checked_entries(archive, file_size)
            names = [name for name in entries if name.count("/") == 1 and name.endswith("/data.pkl")]
            if len(names) != 1:
                raise ModelError("is a zip archive, but not of PyTorch (no data.pkl); unpack it")
            folder = names[0].removesuffix("/data.pkl")
            if entries[names[0]].file_size > MAX_PICKLE:
                raise ModelError("holds a pickle longer than any network's; it is damaged or hostile")
            if f"{folder}/byteorder" in entries:
                _check_byte_order(archive.read(f"{folder}/byteorder") == b"little")

            def read(storage: Storage) -> bytearray:
                info = entries.get(f"{folder}/data/{storage.key}")
                if info is None:
                    raise ModelError(f"lacks storage {shown(storage.key)} of its weights; download it again")
                if info.file_size < storage.n_bytes:
                    raise ModelError(
                        f"storage {shown(storage.key)} should have {storage.n_bytes} bytes but has "
                        f"{info.file_size}; download it again"
                    )
                return _content(archive, info)

            root, _ = read_pickle(io.BytesIO(_content(archive, entries[names[0]])))
            return load_tensors(find_tensors(root), read, file_size)
    except (*DAMAGE, OSError) as error:
        if isinstance(error, OSError) and error.errno != EINVAL:
            raise
        # An entry that claims to begin before the file does is damage as well.
        raise ModelError(
            f"is a zip archive that is cut off or damaged ({shown(error)}); download it again"
        ) from error


def _checked_entries(archive: zipfile.ZipFile, file_size: int) -> dict[str, zipfile.ZipInfo]:
    """The archive's entries by name; ModelError unless all of them can be what torch.save wrote."""
    infos = archive.infolist()
    entries = {info.filename: info for info in infos}
    # Before anything else: its programs lie there compressed.
    if any(PROGRAM.fullmatch(name) for name in entries):
        raise ModelError("is a TorchScript program; save its state_dict() with torch.save instead")
    if len(entries) < len(infos):
        raise ModelError("its zip archive holds an entry twice, which PyTorch never writes; refused")
    if any(info.flag_bits & ENCRYPTED for info in infos):
        raise ModelError("its zip archive is encrypted; unpack it and save the weights again")
    # Entries of torch.save are stored as they are, so together they cannot be larger than the file.
    if any(info.compress_type != zipfile.ZIP_STORED or info.file_size > file_size for info in infos):
        raise ModelError("its zip archive is compressed, which PyTorch never does; save it again")
    if sum(info.file_size for info in infos) > file_size:
        raise ModelError(f"its zip archive claims more than the {file_size} bytes it has; it is hostile")
    return entries


def _content(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytearray:
    content = bytearray(archive.read(info))  # checks the CRC
    if len(content) != info.file_size:
        raise EOFError(f"{info.filename} is short")
    return content


def read_legacy(path: Path) -> dict[str, Tensor]:
    """Tensors of a file by torch.save before 1.6, wrappers undone; ModelError if it is anything else.

    Pickles of a magic number, a protocol, facts about the machine, the object and its storages' keys come
    first, then for each key the number of elements and the elements.
    """
    file_size = path.stat().st_size
    with path.open("rb") as file:
        window = io.BytesIO(file.read(MAX_PICKLE))
        if read_pickle(window)[0] != LEGACY_MAGIC:
            raise ModelError("is a pickle, but not of torch.save; save the weights with that")
        protocol, machine = read_pickle(window)[0], read_pickle(window)[0]
        if protocol != LEGACY_PROTOCOL:
            raise ModelError("is of an unknown PyTorch version; save the weights again as safetensors")
        _check_byte_order(not isinstance(machine, dict) or machine.get("little_endian") is not False)
        (root, storages), (keys, _) = read_pickle(window), read_pickle(window)
        starts: dict[str, int] = {}
        position = window.tell()
        for key in keys if isinstance(keys, list) else [None]:
            storage = storages.get(key) if isinstance(key, str) else None
            if key is None or storage is None:
                raise ModelError("its list of storages is damaged; download it again")
            file.seek(position)
            numel = int.from_bytes(file.read(LENGTH), "little", signed=True)
            starts[key] = position + LENGTH
            position = starts[key] + storage.n_bytes
            if numel != storage.numel or position > file_size:
                raise ModelError(
                    f"storage {shown(key)} is cut off or of another size than declared; download it again"
                )

        def read(storage: Storage) -> bytearray:
            if storage.key not in starts:
                raise ModelError(f"lacks storage {shown(storage.key)} of its weights; download it again")
            file.seek(starts[storage.key])
            content = bytearray(storage.n_bytes)
            if file.readinto(content) != storage.n_bytes:
                raise ModelError("became shorter while it was read; download it again")
            return content

        return load_tensors(find_tensors(root), read, file_size)


def _check_byte_order(little: bool) -> None:
    if not (little and sys.byteorder == "little"):
        raise ModelError("has another byte order than this machine; save it as safetensors there")
