"""Unpacks zip and tar archives from elsewhere: nothing leaves the folder, nothing grows without bound."""

from __future__ import annotations

import bz2
import errno
import gzip
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, cast

from enhance_cli.errors import EnhanceError

CHUNK = 1 << 16
HEADER = 1 << 16
"""Bytes that may stand before one file of a tar: its header, a long name, attributes."""
NOISE = "__MACOSX"
"""What macOS adds to archives."""
LONGEST = 80
"""Characters of a name in a message; archives may hold names without end."""
_OPENERS: dict[bytes, Callable[..., object]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\0": lzma.open,
}
"""By the first bytes of a compressed tar."""


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
    most = left = limits.bytes_of(archive)
    folder.mkdir(parents=True)
    try:
        with _members(archive, most) as members:
            for number, member in enumerate(members):
                if number >= limits.members:
                    raise EnhanceError(f"{archive.name} holds more than {limits.members} files; not unpacked")
                parts = _parts(archive, member.name)
                if member.content and parts[0] != NOISE:
                    left = _write(folder.joinpath(*parts), member.content, left)
                if left < 0:
                    raise _too_much(archive, most)
    except _DAMAGED as error:
        if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
            raise
        # The path of a file that cannot be written may be as long as its maker liked.
        told = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        reason = _short(" ".join(told.split())) or type(error).__name__
        raise EnhanceError(f"{archive.name} cannot be unpacked ({reason})") from error


_DAMAGED = (
    OSError,
    EOFError,
    MemoryError,
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
        raise EnhanceError(
            f"{archive.name} has a member {_short(name)!r} that leads out of its folder; not unpacked"
        )
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
def _members(archive: Path, most: int) -> Iterator[Iterator[Member]]:
    """The files and folders of the archive, of which a tar may have `most` bytes in all."""
    with ExitStack() as stack:
        # A tar that ends in a zip looks like a zip, never the other way round.
        stream = _TarStream(archive, stack.enter_context(_decompressed(archive)), most)
        if tarred := _tar(stream):
            yield stack.enter_context(closing(_tarred(archive, stack.enter_context(tarred), stream)))
        elif zipfile.is_zipfile(archive):
            zipped = stack.enter_context(zipfile.ZipFile(archive))
            yield stack.enter_context(closing(_zipped(archive, zipped)))
        else:
            raise EnhanceError(f"{archive.name} is neither a zip nor a tar archive")


def _decompressed(archive: Path) -> IO[bytes]:
    with archive.open("rb") as file:
        start = file.read(max(map(len, _OPENERS)))
    opener = next((opener for mark, opener in _OPENERS.items() if start.startswith(mark)), open)
    return cast("IO[bytes]", opener(archive, "rb"))


class _TarStream:
    """What `tarfile` reads from: it takes headers into memory whole, whatever size they claim to have.

    So reading stops at `most` bytes, and after HEADER of them before `in_content` is set.
    """

    def __init__(self, archive: Path, stream: IO[bytes], most: int) -> None:
        self._archive, self._stream, self._most = archive, stream, most
        self.next_header()

    def next_header(self) -> None:
        """What is read from here on is the header of a member."""
        self._header = HEADER
        self.in_content = False

    def tell(self) -> int:
        return self._stream.tell()

    def seek(self, position: int) -> int:
        if position < self.tell():
            raise ValueError("it is to be read backwards")
        if position > self._most:
            raise _too_much(self._archive, self._most)
        return self._stream.seek(position)

    def read(self, size: int) -> bytes:
        if not self.in_content:
            self._header -= size
        if size < 0 or self._header < 0:
            raise EnhanceError(f"{self._archive.name} has a header of more than {HEADER} bytes; not unpacked")
        if self.tell() + size > self._most + CHUNK:
            raise _too_much(self._archive, self._most)
        return self._stream.read(size)


class _Tar(tarfile.TarFile):
    """What `tarfile` remembers of the members that it has read."""

    members: list[tarfile.TarInfo]
    pax_headers: dict[str, str]


def _tar(stream: _TarStream) -> _Tar | None:
    try:
        return _Tar(fileobj=cast("IO[bytes]", stream))
    except tarfile.ReadError:
        return None


def _zipped(archive: Path, zipped: zipfile.ZipFile) -> Generator[Member, None, None]:
    for info in zipped.infolist():
        kind = stat.S_IFMT(info.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise _no_file(archive, info.filename)
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            # zipfile takes whatever comes out of a piece of the others into memory at once.
            raise EnhanceError(f"{archive.name} is not compressed by deflate; pack it anew, not unpacked")
        if info.is_dir():
            yield Member(info.filename, None)
            continue
        with zipped.open(info) as content:
            yield Member(info.filename, content)


def _tarred(archive: Path, tarred: _Tar, stream: _TarStream) -> Generator[Member, None, None]:
    while info := tarred.next():
        # Else every member's header stays in memory, each with a copy of what is said of all.
        tarred.members.clear()
        tarred.pax_headers.clear()
        stream.in_content = True
        if info.isdir():
            yield Member(info.name, None)
        else:
            content = tarred.extractfile(info) if info.isreg() and not info.issparse() else None
            if content is None:
                raise _no_file(archive, info.name)
            with content:
                yield Member(info.name, content)
        stream.next_header()


def _no_file(archive: Path, name: str) -> EnhanceError:
    return EnhanceError(f"{archive.name} has a link or device {_short(name)!r}; not unpacked")


def _too_much(archive: Path, most: int) -> EnhanceError:
    return EnhanceError(f"{archive.name} unpacks to more than {most} bytes; not unpacked")


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
