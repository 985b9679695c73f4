"""What lets a rerun go on: a hidden file in each output folder, one JSON line per output.

A line is appended and synced before the output is renamed into place, so that a process killed at any
moment leaves no output without its record.  A line without its output does no harm.  A line is written
whole or not at all; what a kill left of one is cut off when the next is written.

The file lies where anybody may write, so that nothing in it is trusted: a link in its place is not
followed, and a line that is no record tells nothing.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Container, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from enhance_cli.checkpoints.store import digest_of
from enhance_cli.errors import ReadError, WriteError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

RECORDS_NAME = ".enhance-records.jsonl"
LONGEST_LINE = 1 << 16
"""Bytes of a line that may be a record; ours have a few hundred."""

Settings = dict[str, Any]
"""Everything but input and weights that decides what the output holds, JSON-serialisable."""


@dataclass(frozen=True)
class Record:
    """One output and what it was made from."""

    output: str
    """File name within the folder."""
    output_sha256: str
    input_sha256: str
    settings: Settings
    weights_sha256: str
    computed: dict[str, str] = field(default_factory=dict)
    """Device, backend and precision of the network: told, but no reason to call a result another."""


@dataclass
class _Folder:
    """What one file tells."""

    by_output: dict[str, list[Record]] = field(default_factory=dict)
    broken: bool = False
    """Whether there are lines that are no records."""


class Records:
    """The records of many folders, each file read once.  `append` may be called from several threads."""

    def __init__(self) -> None:
        self._folders: dict[Path, _Folder] = {}

    def knows(self, output: Path) -> bool:
        """Whether a file of this name was ever written here by us."""
        return output.name in self._folder(output.parent).by_output

    def outputs(self, folder: Path) -> set[str]:
        """Names of all files that we ever wrote in a folder, be they there or not."""
        # A name with a folder in it was not written by us.
        return {name for name in self._folder(folder).by_output if Path(name).name == name}

    def wrote(self, output: Path, sha256: str) -> bool:
        """Whether we ever wrote these bytes under this name."""
        return any(sha256 == one.output_sha256 for one in self._folder(output.parent).by_output[output.name])

    def is_current(
        self, output: Path, *, input_sha256: str, settings: Settings, weights: Container[str]
    ) -> bool:
        """Whether the file there is, byte for byte, what this input, settings and weights gave before.

        `weights`: sha256 of all weights that the run might take; which one it takes follows from the
        input and so needs no looking at.  ReadError if the output cannot be read.
        """
        fitting = {
            record.output_sha256
            for record in self._folder(output.parent).by_output.get(output.name, ())
            if record.input_sha256 == input_sha256
            and record.settings == settings
            and record.weights_sha256 in weights
        }
        return bool(fitting) and sha256_of(output) in fitting

    def conflict(self, output: Path) -> str:
        """Why an existing output that is not current is left alone, in one line."""
        folder = self._folder(output.parent)
        records = folder.by_output.get(output.name)
        if not records and folder.broken:
            where = output.parent / RECORDS_NAME
            reason = f"and no record of it is left ({where} holds lines that are no records)"
        elif not records:
            reason = "and enhance did not write it"
        elif self.wrote(output, sha256_of(output)):
            reason = "and was made from another input, with other settings or other weights"
        else:
            reason = "and was changed since enhance wrote it"
        return f"{output} exists {reason}; --overwrite replaces it"

    def append(self, folder: Path, record: Record) -> None:
        """Add a line, on the disk before this returns.  WriteError if that fails; there is no line then."""
        path = folder / RECORDS_NAME
        line = json.dumps(asdict(record), sort_keys=True).encode() + b"\n"
        try:
            with _opened(path, os.O_RDWR | os.O_CREAT | os.O_APPEND) as handle:
                if fcntl is not None:
                    # Some network folders have no locks; lines of this length are then still written at once.
                    with suppress(OSError):
                        fcntl.flock(handle, fcntl.LOCK_EX)
                _end_line(handle)
                start = os.fstat(handle).st_size
                try:
                    done = 0
                    while done < len(line):
                        done += os.write(handle, line[done:])
                    os.fsync(handle)
                except BaseException:
                    with suppress(OSError):
                        os.ftruncate(handle, start)
                    raise
        except OSError as error:
            raise WriteError(f"cannot write {path}: {error.strerror}; check the folder") from error

    def _folder(self, folder: Path) -> _Folder:
        """What a folder's file tells."""
        if folder in self._folders:
            return self._folders[folder]
        path = folder / RECORDS_NAME
        found = _Folder()
        try:
            with _opened(path, os.O_RDONLY) as handle, os.fdopen(os.dup(handle), "rb") as file:
                while line := file.readline(LONGEST_LINE):
                    record = _parsed(line)
                    if record is None:
                        found.broken = True
                    else:
                        found.by_output.setdefault(record.output, []).append(record)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise ReadError(f"cannot read {path}: {error.strerror}; check its permissions") from error
        self._folders[folder] = found
        return found


def sha256_of(path: Path) -> str:
    """SHA-256 of an output as lower-case hex; ReadError if it cannot be read."""
    try:
        return digest_of(path)
    except OSError as error:
        raise ReadError(f"cannot read {path}: {error.strerror}") from error


@contextmanager
def _opened(path: Path, flags: int) -> Iterator[int]:
    """A handle of a records file; OSError for whatever is no plain file, links included."""
    # Without waiting for the other end of a pipe.
    flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
    try:
        handle = os.open(path, flags | getattr(os, "O_BINARY", 0), 0o644)
    except OSError as error:
        if path.is_symlink():
            raise OSError(error.errno, "it is a symbolic link, which is not followed") from error
        raise
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(0, "it is no plain file")
        yield handle
    finally:
        os.close(handle)


def _end_line(handle: int) -> None:
    """See to it that the next line starts where a line ends: half a record at the end is cut off."""
    size = os.fstat(handle).st_size
    start = max(0, size - LONGEST_LINE)
    os.lseek(handle, start, os.SEEK_SET)
    tail = os.read(handle, LONGEST_LINE)
    if not tail or tail.endswith(b"\n"):
        return
    rest = tail[tail.rfind(b"\n") + 1 :]
    whole = start == 0 or b"\n" in tail
    if whole and _parsed(rest) is None:
        os.ftruncate(handle, size - len(rest))
    else:
        os.write(handle, b"\n")


def _parsed(line: bytes) -> Record | None:
    """The record that a line holds; None for half a line, rubbish, or what another version wrote."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    known = {one.name: found[one.name] for one in fields(Record) if one.name in found}
    kinds = {"settings": dict, "computed": dict}
    if not all(isinstance(value, kinds.get(name, str)) for name, value in known.items()):
        return None
    try:
        return Record(**known)
    except TypeError:  # something is missing
        return None
