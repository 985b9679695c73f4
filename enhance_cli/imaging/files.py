"""Reading, encoding and writing of picture files: the door of this room."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from enhance_cli.errors import WriteError
from enhance_cli.imaging.decode import DEFAULT_MAX_PIXELS, read
from enhance_cli.imaging.encode import EncodeOptions, encode, encode_bands
from enhance_cli.imaging.formats import (
    IMAGE_SUFFIXES,
    check_fits,
    format_of,
    holds_16_bit,
    holds_alpha,
    losses,
)

try:
    import fcntl
except ImportError:
    fcntl = None  # type: ignore[assignment]

__all__ = [
    "DEFAULT_MAX_PIXELS",
    "IMAGE_SUFFIXES",
    "EncodeOptions",
    "atomic",
    "check_fits",
    "encode",
    "encode_bands",
    "format_of",
    "holds_16_bit",
    "holds_alpha",
    "losses",
    "read",
    "remove_leftovers",
    "write_atomic",
]

# With ".", the random part and ".part" even a name of the longest kind stays below 255 bytes.
_NAME_CHARACTERS = 48
_PART = re.compile(r"\.(.*)\.[0-9a-f]{8}\.part", re.DOTALL)


def write_atomic(path: Path, data: bytes) -> None:
    """Write a file that appears under its name complete and on disk, or not at all; see `atomic`."""
    with atomic(path) as file:
        file.write(data)


@contextlib.contextmanager
def atomic(path: Path) -> Iterator[BinaryIO]:
    """A file to write to, which appears under its name when the block has ended well, complete and on disk.

    Missing parent folders are made. The data goes to a hidden `.NAME.<random>.part` in the same folder,
    which is synced and renamed. Raises WriteError for what goes wrong with it; after that, or any error in
    the block, the hidden file is gone.
    """
    part = path.with_name(f".{path.name[:_NAME_CHARACTERS]}.{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with part.open("xb") as file:
                _claim(file)
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise WriteError(f"{path}: cannot be written ({reason}); nothing was left behind") from error
    _sync_folder(path.parent)


def remove_leftovers(outputs: Iterable[Path], before: float) -> None:
    """Remove part files that killed runs left of these outputs, if last written `before` (epoch s).

    What another run is still writing stays: a large picture grows for minutes while the network works.
    """
    starts: dict[Path, set[str]] = {}
    for output in outputs:
        starts.setdefault(output.parent, set()).add(output.name[:_NAME_CHARACTERS])
    for folder, names in starts.items():
        for name in _names_in(folder):
            match = _PART.fullmatch(name)
            # A part file that vanishes, or may not be removed, does no harm.
            with contextlib.suppress(OSError):
                if match and match[1] in names and (folder / name).stat().st_mtime < before:
                    _remove_unclaimed(folder / name)


def _remove_unclaimed(part: Path) -> None:
    with part.open("rb") as file:
        if not _claim(file):
            return
    part.unlink()


def _claim(file: BinaryIO) -> bool:
    """Lock an open file until it is closed; False if it is locked already.

    True without locks, too: Windows removes no open file anyway, and some network folders have none.
    """
    if fcntl is None:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def _names_in(folder: Path) -> list[str]:
    """Nothing of a folder that is not there, or cannot be."""
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _sync_folder(folder: Path) -> None:
    """Make the new name durable, on systems where a folder can be synced."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
