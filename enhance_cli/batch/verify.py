"""Whether outputs are still, byte for byte, what their records say."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from enhance_cli.batch.records import Records, sha256_of
from enhance_cli.errors import ReadError, UsageError
from enhance_cli.imaging.formats import IMAGE_SUFFIXES

State = Literal["intact", "changed", "missing", "unknown", "failed"]
"""As it was written; other bytes; gone; a picture without a record; not to be read."""


@dataclass(frozen=True)
class Verified:
    """One output, or one picture among them."""

    output: str
    status: State
    error: str | None = None
    """Why it could not be read."""


def verify(paths: Sequence[Path], *, recursive: bool = True) -> Iterator[Verified]:
    """Compare files, and all that lies or should lie in folders, with the records there.

    Links to folders are not followed, and neither are hidden folders searched. UsageError for a path that
    leads nowhere and of which there is no record.
    """
    records = Records()
    for path in paths:
        if not path.is_dir():
            if not os.path.lexists(path) and not records.knows(path):
                raise UsageError(f"No such file or folder: {path}, and no record of it")
            yield _verified(path, records)
            continue
        for root, folders, names in os.walk(path, onerror=_unreadable):
            folders[:] = sorted(name for name in folders if not name.startswith(".")) if recursive else []
            folder = Path(root)
            known = records.outputs(folder)
            pictures = {name for name in names if Path(name).suffix.lower() in IMAGE_SUFFIXES}
            for name in sorted(known | {name for name in pictures if not name.startswith(".")}):
                yield _verified(folder / name, records)


def _verified(output: Path, records: Records) -> Verified:
    try:
        if not records.knows(output):
            return Verified(str(output), "unknown")
        if not os.path.lexists(output):
            return Verified(str(output), "missing")
        # Reading a pipe or a device in its place would not end.
        same = output.is_file() and records.wrote(output, sha256_of(output))
    except ReadError as error:
        return Verified(str(output), "failed", str(error))
    return Verified(str(output), "intact" if same else "changed")


def _unreadable(error: OSError) -> None:
    raise ReadError(f"cannot read folder {error.filename}: {error.strerror}; check its permissions")
