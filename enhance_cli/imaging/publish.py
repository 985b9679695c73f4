"""Files that appear under their names complete, or not at all."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import re
import secrets
import stat
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from enhance_cli.errors import ExistsError, WriteError

try:
    import fcntl
except ImportError:
    fcntl = None  # type: ignore[assignment]

# With ".", the random part and ".part" even a name of the longest kind stays below 255 bytes.
_NAME_CHARACTERS = 48
_PART = re.compile(r"\.(.*)\.[0-9a-f]{8}\.part", re.DOTALL)


# How a file system says that it has no links, or none for this file.
_NO_LINKS = (
    errno.EPERM,
    errno.EACCES,
    errno.ENOSYS,
    errno.ENOTSUP,
    errno.EOPNOTSUPP,
    errno.EMLINK,
    errno.EINVAL,
)
_AT_FDCWD, _RENAME_NOREPLACE, _RENAME_EXCL = -100, 1, 4
_KINDS = {
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
}


def write_atomic(path: Path, data: bytes, *, overwrite: bool = True) -> None:
    """Write a file that appears under its name complete and on disk, or not at all; see `atomic`."""
    with atomic(path, overwrite=overwrite) as file:
        file.write(data)


@contextlib.contextmanager
def atomic(path: Path, *, overwrite: bool = True) -> Iterator[BinaryIO]:
    """A file to write to, which appears under its name when the block has ended well, complete and on disk.

    Missing parent folders are made. The data goes to a hidden `.NAME.<random>.part` in the same folder,
    which is synced and takes its name. With `overwrite`, a regular file of that name is replaced by one of
    the same mode and owner; whatever else bears the name (links, too: they may point anywhere) is refused.
    Without, nothing is ever replaced: of several runs that write one name at once, one succeeds.

    Raises ExistsError where that name is taken and must not be, WriteError for all else that goes wrong with
    the file; after that, or any error in the block, the hidden file is gone.
    """
    part = path.with_name(f".{path.name[:_NAME_CHARACTERS]}.{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        old = _replaceable(path, overwrite)
        try:
            with part.open("xb") as file:
                _claim(file)
                if old is not None and hasattr(os, "fchown"):
                    with contextlib.suppress(OSError):
                        os.fchown(file.fileno(), old.st_uid, old.st_gid)
                    os.fchmod(file.fileno(), stat.S_IMODE(old.st_mode))
                yield file
                file.flush()
                os.fsync(file.fileno())
            if overwrite:
                os.replace(part, path)
            else:
                _publish_new(part, path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise WriteError(f"{path}: cannot be written ({reason}); nothing was left behind") from error
    # Makes the new name durable, on systems where a folder can be synced.
    with contextlib.suppress(OSError):
        handle = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _replaceable(path: Path, overwrite: bool) -> os.stat_result | None:
    """What is to be replaced, None for nothing. Raises ExistsError or WriteError if that must not be."""
    try:
        old = os.lstat(path)
    except FileNotFoundError:
        return None
    kind = _KINDS.get(stat.S_IFMT(old.st_mode))
    if kind is not None:
        raise WriteError(f"{path}: this is {kind}, which is never replaced; name a file, or - for a pipe")
    if not overwrite:
        raise ExistsError(f"{path} exists already; --overwrite replaces it")
    return old


def _publish_new(part: Path, path: Path) -> None:
    """Give a finished file a name that nothing else has, in one step. Raises ExistsError if something has.

    By a link; where the file system has none, by a renaming that cannot replace; where the system has no such
    call either, the name is taken by an empty file first, so that others see it as taken. Only there can a
    kill between these two steps leave an empty file.
    """
    try:
        if sys.platform == "win32":
            # Windows never replaces by this call.
            os.rename(part, path)
            return
        try:
            os.link(part, path)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            _rename_new(part, path)
        else:
            part.unlink()
    except FileExistsError as error:
        raise ExistsError(
            f"{path} appeared while it was being made and was left as it is; --overwrite replaces it"
        ) from error


def _rename_new(part: Path, path: Path) -> None:
    """Rename to a name that nothing else has; FileExistsError if something has."""
    libc = ctypes.CDLL(None, use_errno=True)
    names = os.fsencode(part), os.fsencode(path)
    if hasattr(libc, "renameat2"):
        failed = libc.renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_NOREPLACE)
    elif hasattr(libc, "renamex_np"):
        failed = libc.renamex_np(*names, _RENAME_EXCL)
    else:
        failed = -1
        ctypes.set_errno(errno.ENOSYS)
    if not failed:
        return
    number = ctypes.get_errno()
    if number not in _NO_LINKS:
        raise OSError(number, os.strerror(number), str(path))
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    try:
        os.replace(part, path)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def remove_leftovers(outputs: Iterable[Path], before: float) -> None:
    """Remove part files that killed runs left of these outputs, if last written `before` (epoch s).

    What another run is still writing stays: a large picture grows for minutes while the network works.
    """
    starts: dict[Path, set[str]] = {}
    for output in outputs:
        starts.setdefault(output.parent, set()).add(output.name[:_NAME_CHARACTERS])
    for folder, names in starts.items():
        found: list[str] = []
        with contextlib.suppress(OSError):  # a folder that is not there, or cannot be
            found = os.listdir(folder)
        for name in found:
            match = _PART.fullmatch(name)
            # A part file that vanishes, or may not be removed, does no harm.
            with contextlib.suppress(OSError):
                if match and match[1] in names and (folder / name).stat().st_mtime < before:
                    with (folder / name).open("rb") as file:
                        is_free = _claim(file)
                    if is_free:
                        (folder / name).unlink()


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
        pass
    return True
