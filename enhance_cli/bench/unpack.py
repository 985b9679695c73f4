"""Unpacks zip and tar archives from elsewhere: nothing leaves the folder, nothing grows without bound."""

from __future__ import annotations

import errno
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from enhance_cli.errors import EnhanceError

CHUNK = 1 << 20
NOISE = "__MACOSX"
"""What macOS adds to archives."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How much an archive may hold."""

    members: int = 100_000
    ratio: int = 20
    """Pictures are compressed already: BMP and PPM shrink by less than this."""
    allowance: int = 64 << 20
    """Bytes that may come out of any archive, whatever the ratio."""

    def bytes_of(self, archive: Path) -> int:
        """How many bytes may come out of that archive."""
        return self.ratio * archive.stat().st_size + self.allowance


@dataclass(frozen=True)
class Member:
    """One file or folder of an archive."""

    name: str
    content: IO[bytes] | None
    """None for a folder."""


def unpack(archive: Path, folder: Path, limits: Limits | None = None) -> None:
    """Write the files of a zip or tar archive into the new folder `folder`.

    Raises EnhanceError if it is neither, is damaged, holds more than `limits` allow, or has a member that is
    no plain file or folder within it (an absolute path, "..", a link, a device); OSError if the disk is full.
    Then `folder` holds what was written so far.
    """
    limits = limits or Limits()
    left = limits.bytes_of(archive)
    folder.mkdir(parents=True)
    try:
        with _members(archive) as members:
            for number, member in enumerate(members):
                if number >= limits.members:
                    raise EnhanceError(f"{archive.name} holds more than {limits.members} files; not unpacked")
                parts = _parts(archive, member.name)
                if member.content and parts[0] != NOISE:
                    left = _write(folder.joinpath(*parts), member.content, left)
                if left < 0:
                    raise EnhanceError(
                        f"{archive.name} unpacks to more than {limits.bytes_of(archive)} bytes; not unpacked"
                    )
    except _DAMAGED as error:
        if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
            raise
        reason = " ".join(str(error).split()) or type(error).__name__
        raise EnhanceError(f"{archive.name} cannot be unpacked ({reason})") from error


_DAMAGED = (
    OSError,
    EOFError,
    ValueError,
    RuntimeError,  # a password, or a compression that is not known
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
)


def _parts(archive: Path, name: str) -> tuple[str, ...]:
    """The path of a member; EnhanceError if it could lead anywhere else."""
    parts = PurePosixPath(name).parts
    if name.startswith("/") or ".." in parts or any(mark in name for mark in "\\:\0"):
        raise EnhanceError(f"{archive.name} has a member {name!r} that leads out of its folder; not unpacked")
    return parts or (".",)


def _write(path: Path, content: IO[bytes], left: int) -> int:
    """Copy at most `left` bytes and a piece; gives what is left of them, below 0 if it was too much."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as file:
        while left >= 0 and (chunk := content.read(CHUNK)):
            file.write(chunk)
            left -= len(chunk)
    return left


@contextmanager
def _members(archive: Path) -> Iterator[Iterator[Member]]:
    # A tar that ends in a zip looks like a zip, never the other way round.
    if tarfile.is_tarfile(archive):
        with tarfile.open(archive) as tarred, closing(_tarred(archive, tarred)) as members:
            yield members
    elif zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as zipped, closing(_zipped(archive, zipped)) as members:
            yield members
    else:
        raise EnhanceError(f"{archive.name} is neither a zip nor a tar archive")


def _zipped(archive: Path, zipped: zipfile.ZipFile) -> Generator[Member, None, None]:
    for info in zipped.infolist():
        kind = stat.S_IFMT(info.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise _no_file(archive, info.filename)
        if info.is_dir():
            yield Member(info.filename, None)
            continue
        with zipped.open(info) as content:
            yield Member(info.filename, content)


def _tarred(archive: Path, tarred: tarfile.TarFile) -> Generator[Member, None, None]:
    for info in tarred:
        if info.isdir():
            yield Member(info.name, None)
            continue
        content = tarred.extractfile(info) if info.isreg() else None
        if content is None:
            raise _no_file(archive, info.name)
        with content:
            yield Member(info.name, content)


def _no_file(archive: Path, name: str) -> EnhanceError:
    return EnhanceError(f"{archive.name} has a link or device {name!r}; not unpacked")
