"""The door for checkpoint files of all kinds: bytes in, plain tensors out, and nothing in the file is run.

The kind is told by the first bytes, never by the suffix. What a kind needs beyond that is in `torchfile`
(PyTorch, old and new), `matlab` (MatConvNet), and the safetensors library.
"""

from __future__ import annotations

from codecs import getincrementaldecoder
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open
from torch import Tensor

from enhance_cli.checkpoints.limits import MAX_KEY, check_entries, shown
from enhance_cli.checkpoints.matlab import read_matconvnet
from enhance_cli.checkpoints.torchfile import read_legacy, read_zip
from enhance_cli.errors import ModelError

HEAD = 4096
"""Bytes that the kind is told from."""
HDF5 = b"\x89HDF\r\n\x1a\n"
HDF5_PLACES = (0, 512, 1024, 2048)
"""MATLAB puts 512 bytes of text before it."""
MATLAB = b"MATLAB 7.3 MAT-file"
MAX_HEADER = 100_000_000
"""Bytes of a safetensors header, as its library has it."""
PICKLE_PROTOCOLS = range(2, 6)

PREFIXES = (
    (b"version https://git-lfs", "is a git-lfs pointer, not the file itself; fetch it with: git lfs pull"),
    (b"MATLAB 5.0 MAT-file", "is an older MATLAB file; save it in MATLAB with -v7.3"),
    (b"\x1f\x8b", "is packed with gzip; unpack it first"),
    (b"7z\xbc\xaf\x27\x1c", "is a 7z archive; unpack it first"),
    (b"Rar!", "is a RAR archive; unpack it first"),
    (b"\x93NUMPY", "is a NumPy array; give the network's state_dict"),
)
"""Files that are often taken for weights, by how they begin."""
TAR = slice(257, 262)
"""Where a tar archive says "ustar"; the first PyTorch versions wrote such files too."""


@dataclass(frozen=True)
class Raw:
    """What a checkpoint holds, whoever wrote it."""

    tensors: dict[str, Tensor]
    """Contiguous, on the CPU, in the type they are stored in, by the file's own keys; dicts around them are
    undone. Values are not looked at: they may be NaN.
    """
    metadata: dict[str, str]
    """Of safetensors; empty for other kinds."""


def read_raw(path: Path) -> Raw:
    """Read safetensors, PyTorch (zip, and the format before 1.6), and MatConvNet in MATLAB v7.3.

    ModelError, in one line with the path, for everything else: other kinds, damaged files, pickles that call
    what weights do not need, sizes that the file cannot hold.
    """
    try:
        if path.is_dir():
            raise ModelError("is a folder; give the weights file in it")
        if path.exists() and not path.is_file():
            raise ModelError("is not a regular file; give a weights file")
        with path.open("rb") as file:
            head = file.read(HEAD)
        if not head:
            raise ModelError("is empty; download it again")
        # Eight bytes with the header's length, then JSON.
        if head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= MAX_HEADER:
            raw = _read_safetensors(path)
        elif head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
            raw = Raw(read_zip(path), {})
        elif head[0] == 0x80 and len(head) > 1 and head[1] in PICKLE_PROTOCOLS:
            raw = Raw(read_legacy(path), {})
        elif any(head.startswith(HDF5, place) for place in HDF5_PLACES) or head.startswith(MATLAB):
            raw = Raw(read_matconvnet(path), {})
        else:
            raise ModelError(_other_kind(head))
        for key in raw.tensors:
            if len(key) > MAX_KEY or not key.isprintable():
                raise ModelError(f"names a weight {shown(key)}; it is damaged or hostile")
        return raw
    except OSError as error:
        reason = error.strerror or shown(error)
        raise ModelError(f"cannot read weights file {path}: {reason}; check the path") from error
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error


def _read_safetensors(path: Path) -> Raw:
    try:
        with safe_open(path, framework="pt") as file:
            keys = file.keys()  # out of the header
            check_entries(len(keys))
            metadata: dict[str, str] = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in keys}
    except (SafetensorError, RuntimeError, ValueError, TypeError, LookupError, AttributeError) as error:
        raise ModelError(
            f"is not a readable safetensors file ({shown(error)}); download or save it again"
        ) from error
    if not tensors:
        raise ModelError("holds no weights; give the network's state_dict")
    return Raw(tensors, metadata)


def _other_kind(head: bytes) -> str:
    """What a file of no kind known is, and what to do with it."""
    for prefix, meaning in PREFIXES:
        if head.startswith(prefix):
            return meaning
    if head[TAR] == b"ustar":
        return "is a tar archive; unpack it, or save the weights with a newer PyTorch if it is an old one's"
    start = head.lstrip()[:16].lower()
    if start.startswith((b"<!doctype html", b"<html", b"<head")):
        return "is a web page, not weights; download the file itself"
    with suppress(UnicodeDecodeError):
        text = getincrementaldecoder("utf-8")().decode(head)  # the last character may be cut
        if all(letter.isprintable() or letter.isspace() for letter in text):
            return "is a text file, not weights; give a safetensors, PyTorch or MATLAB v7.3 file"
    if head[0] == 0x08 and head[2:3] in (b"\x12", b"\x3a"):  # ir_version, then producer_name or graph
        return "looks like ONNX, which is not read; give the PyTorch file that it was made from"
    return "is no weights file known here; give a safetensors, PyTorch or MATLAB v7.3 file"
