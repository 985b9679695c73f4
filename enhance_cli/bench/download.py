"""Fetches a test set: downloads its archive, checks it by sha256, unpacks it and moves the set into place."""

from __future__ import annotations

import errno
import lzma
import re
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import TypeVar
from urllib.parse import urlsplit

import pooch
from requests import RequestException

import enhance_cli
from enhance_cli.bench.datasets.find import Dataset, at, found_in
from enhance_cli.bench.datasets.known import BUILTIN, KNOWN_SETS, Archive, canonical
from enhance_cli.bench.datasets.layouts import folders, read_folder
from enhance_cli.errors import EnhanceError, UsageError

CHUNK_BYTES = 1 << 18
TIMEOUT_SECONDS = 60
MOST_BYTES = 64 << 30
"""Of an archive whose size is not on record."""
MOST_FILES = 100_000
"""Of an archive."""
RATIO, ALLOWANCE_BYTES = 20, 64 << 20
"""An archive may hold this many times its own size and this much: pictures are compressed already."""
NAME_LENGTH = 80
"""Characters of a name in a message; archives may hold names without end."""
DAMAGE = (
    *(OSError, EOFError, MemoryError, ValueError, RuntimeError),
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError),
)
"""What the libraries raise for archives that are not as they should be."""

OnBytes = Callable[[int, int | None], None]
"""Called with the bytes that have arrived and the bytes in all, None where the server does not say."""
Member = TypeVar("Member", tarfile.TarInfo, zipfile.ZipInfo)


def get(
    name: str,
    root: Path,
    *,
    url: str | None = None,
    sha256: str | None = None,
    on_bytes: OnBytes = lambda done, total: None,
) -> Dataset:
    """Fetch a set into `root/NAME`, from the address on record or from `url`, and return what is there then.

    The set appears complete under its name or not at all. Raises UsageError if there is no address, no
    checksum or the set is there already, and EnhanceError if the transfer, the checksum or the archive fails.
    """
    name = canonical(name)
    archive = _archive_of(name, root, url, sha256)
    target = root / name
    there = [found.folder for found in (found_in(root) if root.is_dir() else ()) if found.name == name]
    if there or target.exists():
        raise UsageError(f"{name} is there already, in {[*there, target][0]}; remove it to fetch it again")
    try:
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{name}.", dir=root) as place:
            packed, unpacked = Path(place, f"{name}.archive"), Path(place, "unpacked")
            download(archive, packed, on_bytes)
            unpack(packed, unpacked)
            place_of_set = unpacked
            while read_folder(place_of_set) is None:
                # Archives wrap their set in one or two more folders.
                inside = folders(place_of_set)
                if len(inside) != 1:
                    text = "holds no test set in a layout that is known; nothing was kept"
                    raise EnhanceError(f"{archive.url} {text}")
                place_of_set = inside[0]
            place_of_set.rename(target)
    except OSError as error:
        reason = error.strerror or " ".join(str(error).split())
        raise EnhanceError(f"cannot write to {root} ({reason}); {name} is not there") from error
    return at(target)


def _archive_of(name: str, root: Path, url: str | None, sha256: str | None) -> Archive:
    if name == BUILTIN:
        raise UsageError(f"{BUILTIN} comes with the package; there is nothing to fetch")
    if not re.fullmatch(r"\w[\w .+-]*", name):
        raise UsageError(f"{name!r} is no name for a test set; use letters, digits, - and _")
    if (url is None) != (sha256 is None):
        raise UsageError("--url and --sha256 belong together: what comes from there is checked by it")
    if url is not None and sha256 is not None:
        try:
            parts = urlsplit(url)
            is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:  # brackets without an end, a port that is no number
            is_address = False
        if not is_address:
            raise UsageError(f"--url {url} is no http:// or https:// address")
        if not re.fullmatch("[0-9a-fA-F]{64}", sha256):
            raise UsageError(f"--sha256 {sha256} is not 64 hexadecimal digits")
        return Archive(url=url, sha256=sha256.lower())
    known = KNOWN_SETS.get(name)
    if known is None:
        sets = ", ".join(one.name for one in KNOWN_SETS.values() if one.archive)
        raise UsageError(f"no test set {name!r} is known; give --url URL --sha256 HEX, or one of: {sets}")
    if known.archive is None:
        raise UsageError(
            f"no address with a known checksum is on record for {name}: put its pictures into {root / name} "
            f"yourself, from {known.home}, or give --url URL --sha256 HEX"
        )
    return known.archive


class _Transfer:
    """The progress bar that pooch drives. It also stops a server that sends more than it should."""

    def __init__(self, archive: Archive, on_bytes: OnBytes) -> None:
        self._archive, self._on_bytes = archive, on_bytes
        self._done = 0
        self.total = 0
        """Set by pooch; 0 where the server does not say."""

    def update(self, n_bytes: int) -> None:
        """So many bytes more have arrived; of the last piece fewer."""
        most = self._archive.bytes or MOST_BYTES
        self._done += n_bytes
        if max(self.total, self._done - CHUNK_BYTES) > most:
            raise EnhanceError(f"{self._archive.url} sends more than {most} bytes; nothing was kept")
        self._on_bytes(min(self._done, self.total or self._done), self.total or None)

    def reset(self) -> None:
        """Count from 0 again."""
        self._done = 0

    def close(self) -> None:
        """The transfer is over."""


def download(archive: Archive, path: Path, on_bytes: OnBytes = lambda done, total: None) -> None:
    """Download the archive to `path`, which is not there if that fails; raises EnhanceError."""
    pooch.get_logger().setLevel("WARNING")
    fetcher = pooch.HTTPDownloader(
        progressbar=_Transfer(archive, on_bytes),
        chunk_size=CHUNK_BYTES,
        timeout=TIMEOUT_SECONDS,
        headers={"User-Agent": f"enhance/{enhance_cli.__version__}", "Accept-Encoding": "identity"},
    )
    try:
        pooch.retrieve(archive.url, archive.sha256, path.name, path.parent, downloader=fetcher)
    except RequestException as error:
        answer = error.response
        if answer is None:
            # What went wrong stands at the end, behind the objects that it went wrong in.
            told = str(getattr(next(iter(error.args), None), "reason", error)).rpartition("): ")[2]
        else:
            told = f"{answer.status_code} {answer.reason}"
        raise EnhanceError(f"{archive.url} cannot be fetched ({' '.join(told.split())})") from error
    except ValueError as error:
        raise EnhanceError(
            f"{archive.url} has another sha256 than {archive.sha256[:12]}..., which was expected; "
            "nothing was kept"
        ) from error


def unpack(archive: Path, folder: Path) -> None:
    """Write the files of a zip or tar archive into the new folder `folder`.

    Raises EnhanceError if it is neither, is damaged, holds too much, or has a member that is no plain file or
    folder within it (an absolute path, "..", a link, a device), and OSError if the disk is full. What was
    written until then stays.
    """
    folder.mkdir(parents=True)
    try:
        if tarfile.is_tarfile(archive):
            with tarfile.open(archive) as tar:
                # Not by the argument `filter`, which early releases of Python 3.10 do not know.
                tar.extraction_filter = getattr(tarfile, "data_filter", None)
                tar.extractall(folder, _checked(archive, tar))
        elif zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as zipped:
                for member in _checked(archive, zipped.infolist()):
                    zipped.extract(member, folder)
        else:
            raise EnhanceError(f"{archive.name} is neither a zip nor a tar archive")
    except DAMAGE as error:
        if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
            raise
        # The path of a file that cannot be written may be as long as its maker liked.
        told = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        reason = _short(" ".join(told.split())) or type(error).__name__
        raise EnhanceError(f"{archive.name} cannot be unpacked ({reason})") from error


def _checked(archive: Path, members: Iterable[Member]) -> Iterator[Member]:
    """The members to be unpacked, one by one; raises EnhanceError at the first that must not be."""
    most = left = RATIO * archive.stat().st_size + ALLOWANCE_BYTES
    for number, member in enumerate(members):
        if isinstance(member, tarfile.TarInfo):
            name, size, is_plain = member.name, member.size, member.isreg() or member.isdir()
        else:
            kind = stat.S_IFMT(member.external_attr >> 16)
            name, size, is_plain = member.filename, member.file_size, kind in (0, stat.S_IFREG, stat.S_IFDIR)
        left -= size
        parts, problem = PurePosixPath(name).parts, None
        if number >= MOST_FILES:
            problem = f"holds more than {MOST_FILES} files"
        elif name.startswith("/") or ".." in parts or any(mark in name for mark in "\\:\0"):
            problem = f"has a member {_short(name)!r} that leads out of its folder"
        elif not is_plain:
            problem = f"has a link or device {_short(name)!r}"
        elif left < 0:
            problem = f"unpacks to more than {most} bytes"
        if problem:
            raise EnhanceError(f"{archive.name} {problem}; not unpacked")
        if parts[:1] != ("__MACOSX",):
            yield member


def _short(text: str) -> str:
    return text if len(text) <= NAME_LENGTH else f"{text[:NAME_LENGTH]}..."
