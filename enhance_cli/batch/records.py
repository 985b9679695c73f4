"""What lets a rerun go on: a hidden file in each output folder, one JSON line per output.

A line is appended and synced before the output is renamed into place, so that a process killed at any
moment leaves no output without its record.  A line without its output does no harm.
"""

from __future__ import annotations

import json
import os
from collections.abc import Container
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from enhance_cli.checkpoints.store import digest_of
from enhance_cli.errors import ReadError, WriteError

RECORDS_NAME = ".enhance-records.jsonl"

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


class Records:
    """The records of many folders, each file read once.  `append` may be called from several threads."""

    def __init__(self) -> None:
        self._folders: dict[Path, dict[str, list[Record]]] = {}

    def knows(self, output: Path) -> bool:
        """Whether a file of this name was ever written here by us."""
        return output.name in self._folder(output.parent)

    def is_current(
        self, output: Path, *, input_sha256: str, settings: Settings, weights: Container[str]
    ) -> bool:
        """Whether the file there is, byte for byte, what this input, settings and weights gave before.

        `weights`: sha256 of all weights that the run might take; which one it takes follows from the
        input and so needs no looking at.  ReadError if the output cannot be read.
        """
        fitting = {
            record.output_sha256
            for record in self._folder(output.parent).get(output.name, ())
            if record.input_sha256 == input_sha256
            and record.settings == settings
            and record.weights_sha256 in weights
        }
        return bool(fitting) and sha256_of(output) in fitting

    def conflict(self, output: Path) -> str:
        """Why an existing output that is not current is left alone, in one line."""
        records = self._folder(output.parent).get(output.name)
        if not records:
            reason = "and enhance did not write it"
        elif sha256_of(output) in {record.output_sha256 for record in records}:
            reason = "and was made from another input, with other settings or other weights"
        else:
            reason = "and was changed since enhance wrote it"
        return f"{output} exists {reason}; --overwrite replaces it"

    def append(self, folder: Path, record: Record) -> None:
        """Add a line, on the disk before this returns.  WriteError if that fails."""
        path = folder / RECORDS_NAME
        line = json.dumps(asdict(record), sort_keys=True).encode() + b"\n"
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
            try:
                size = os.fstat(handle).st_size
                os.lseek(handle, max(0, size - 1), os.SEEK_SET)
                if size and os.read(handle, 1) != b"\n":
                    # A killed run has left half a line.
                    line = b"\n" + line
                os.write(handle, line)
                os.fsync(handle)
            finally:
                os.close(handle)
        except OSError as error:
            raise WriteError(f"cannot write {path}: {error.strerror}; check the folder") from error

    def _folder(self, folder: Path) -> dict[str, list[Record]]:
        """What a folder's file tells, by name of output."""
        if folder in self._folders:
            return self._folders[folder]
        path = folder / RECORDS_NAME
        try:
            lines = path.read_bytes().splitlines()
        except FileNotFoundError:
            lines = []
        except OSError as error:
            raise ReadError(f"cannot read {path}: {error.strerror}; check its permissions") from error
        records = self._folders[folder] = {}
        for line in lines:
            # Half a line, or one of another version: what it told is then unknown, not wrong.
            with suppress(ValueError, TypeError):
                record = Record(**json.loads(line))
                records.setdefault(record.output, []).append(record)
        return records


def sha256_of(path: Path) -> str:
    """SHA-256 of an output as lower-case hex; ReadError if it cannot be read."""
    try:
        return digest_of(path)
    except OSError as error:
        raise ReadError(f"cannot read {path}: {error.strerror}") from error
