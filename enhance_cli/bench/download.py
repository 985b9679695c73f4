"""Fetches test sets: over HTTP with resuming, checked by sha256, unpacked, then moved into place at once."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import enhance_cli
from enhance_cli.bench.datasets import BUILTIN, KNOWN, Dataset, Source, at, canonical, found_in
from enhance_cli.bench.datasets.layouts import read_folder
from enhance_cli.bench.datasets.match import folders
from enhance_cli.bench.unpack import Limits, unpack
from enhance_cli.checkpoints.store import digest_of
from enhance_cli.errors import EnhanceError, UsageError

CHUNK = 1 << 18
TIMEOUT = 60
"""Seconds without a byte."""
MOST_BYTES = 64 << 30
"""Where neither we nor the server know how much is to come."""

OnBytes = Callable[[int, int | None], None]
"""Called with bytes done so far and bytes in all, None where nobody knows."""


@dataclass(frozen=True)
class Offer:
    """What a server sends: from which byte on, and how many there are in all."""

    start: int
    total: int | None


def get(
    name: str,
    root: Path,
    *,
    url: str | None = None,
    sha256: str | None = None,
    on_bytes: OnBytes = lambda done, total: None,
    limits: Limits | None = None,
) -> Dataset:
    """Fetch a set into `root/NAME`, from where it is known to lie or from `url`; gives what is there then.

    What an interrupted transfer left in `root/.NAME.get` is gone on with. The set appears complete under its
    name or not at all. Raises UsageError if there is no address, no checksum or the set is there already, and
    EnhanceError if the transfer, the checksum or the archive fails.
    """
    name = canonical(name)
    source = _source(name, root, url, sha256)
    target = root / name
    there = [found.folder for found in (found_in(root) if root.is_dir() else ()) if found.name == name]
    if there or target.exists():
        raise UsageError(f"{name} is there already, in {[*there, target][0]}; remove it to fetch it again")
    work = root / f".{name}.get"
    fresh = work / "unpacked"
    try:
        work.mkdir(parents=True, exist_ok=True)
        # Under its checksum: what is left of another archive is not gone on with.
        archive = work / f"{source.sha256[:16]}.part"
        fetch(source, archive, on_bytes)
        shutil.rmtree(fresh, ignore_errors=True)
        try:
            unpack(archive, fresh, limits)
            _set_in(fresh, source).rename(target)
        except EnhanceError:
            archive.unlink()
            raise
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
        shutil.rmtree(work, ignore_errors=True)
    except OSError as error:
        raise EnhanceError(f"cannot write to {root} ({error.strerror}); {name} is not there") from error
    finally:
        # Unless there is something to go on with.
        with suppress(OSError):
            work.rmdir()
    return at(target)


def _source(name: str, root: Path, url: str | None, sha256: str | None) -> Source:
    if name == BUILTIN:
        raise UsageError(f"{BUILTIN} comes with the package; there is nothing to fetch")
    if not re.fullmatch(r"\w[\w .+-]*", name):
        raise UsageError(f"{name!r} is no name for a test set; use letters, digits, - and _")
    if (url is None) != (sha256 is None):
        raise UsageError("--url and --sha256 belong together: what comes from there is checked by it")
    if url is not None and sha256 is not None:
        if not _is_address(url):
            raise UsageError(f"--url {url} is no http:// or https:// address")
        if not re.fullmatch("[0-9a-fA-F]{64}", sha256):
            raise UsageError(f"--sha256 {sha256} is not 64 hexadecimal digits")
        return Source(url=url, sha256=sha256.lower())
    known = KNOWN.get(name)
    if known is None:
        sets = ", ".join(one.name for one in KNOWN.values() if one.source)
        raise UsageError(f"no test set {name!r} is known; give --url URL --sha256 HEX, or one of: {sets}")
    if known.source is None:
        raise UsageError(
            f"no address with a known checksum is on record for {name}: put its pictures into {root / name} "
            f"yourself, from {known.home}, or give --url URL --sha256 HEX"
        )
    return known.source


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # brackets without an end, a port that is no number
        return False


def _set_in(folder: Path, source: Source) -> Path:
    """The outermost folder in which the set lies: archives wrap theirs in one or two more."""
    place = folder
    while read_folder(place) is None:
        inside = folders(place)
        if len(inside) != 1:
            raise EnhanceError(f"{source.url} holds no test set in a layout that is known; nothing was kept")
        place = inside[0]
    return place


def fetch(source: Source, part: Path, on_bytes: OnBytes = lambda done, total: None) -> None:
    """Bring `part` to the whole, checked archive, going on where it ends.

    Raises EnhanceError; `part` is kept if the transfer broke off, or may have where nobody knows the length,
    and removed if it turned out wrong. One that was gone on with and came out wrong is fetched again from
    its start, unless it grew and may grow on.
    """
    had = _size(part)
    whole = _transfer(source, part, on_bytes)
    if had and digest_of(part) != source.sha256 and (whole or _size(part) <= had):
        part.unlink()
        # Nobody breaks off twice at one byte.
        whole = _transfer(source, part, on_bytes) or _size(part) == had
    if (found := digest_of(part)) == source.sha256:
        return
    if not whole:
        raise EnhanceError(
            f"{source.url} ended after {_size(part)} bytes with another sha256 than expected, and the server "
            "does not say how many there are: it may have broken off; run it again to go on"
        )
    part.unlink()
    raise EnhanceError(
        f"{source.url} has sha256 {found[:12]}..., expected was {source.sha256[:12]}...; nothing was kept"
    )


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _transfer(source: Source, part: Path, on_bytes: OnBytes) -> bool:
    """Fetch what `part` lacks; gives whether that is all, False where nobody knows the length."""
    have = _size(part)
    if source.bytes is not None and have >= source.bytes:
        return True
    headers = {"User-Agent": f"enhance/{enhance_cli.__version__}", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    try:
        with urlopen(
            Request(source.url, headers=headers), timeout=TIMEOUT
        ) as response:  # http or https: _source
            return _copy(response, source, part, have, on_bytes)
    except HTTPError as error:
        error.close()
        # Nothing beyond what we have: the checksum tells whether it is the whole.
        if not (error.code == 416 and have):
            raise EnhanceError(f"{source.url} cannot be fetched ({error.code} {error.reason})") from error
        return True
    except (OSError, HTTPException, ValueError) as error:
        reason = error.reason if isinstance(error, URLError) else error
        text = " ".join(str(reason).split()) or type(reason).__name__
        raise EnhanceError(f"{source.url} cannot be fetched ({text}); run it again to go on") from error


def _copy(response: HTTPResponse, source: Source, part: Path, have: int, on_bytes: OnBytes) -> bool:
    offer = _offer(response)
    if offer.start not in (0, have):
        raise EnhanceError(f"{source.url}: the server sent bytes from {offer.start} on instead of {have}")
    if None not in (source.bytes, offer.total) and source.bytes != offer.total:
        raise EnhanceError(f"{source.url} has {offer.total} bytes, expected were {source.bytes}; not fetched")
    total = source.bytes or offer.total
    done = offer.start
    with part.open("ab" if offer.start else "wb") as file:
        on_bytes(done, total)
        while chunk := response.read(CHUNK):
            done += len(chunk)
            if done > (total or MOST_BYTES):
                break
            file.write(chunk)
            on_bytes(done, total)
    if done > (total or MOST_BYTES):
        part.unlink()
        raise EnhanceError(f"{source.url} sends more than {total or MOST_BYTES} bytes; nothing was kept")
    if total and done < total:
        raise EnhanceError(f"{source.url} broke off at {done} of {total} bytes; run it again to go on")
    return total is not None


def _offer(response: HTTPResponse) -> Offer:
    length = response.headers.get("Content-Length", "")
    if response.status == 206:
        given = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
        if given is None:
            raise EnhanceError(f"{response.url}: the server does not say which part it sends")
        return Offer(int(given[1]), None if given[2] == "*" else int(given[2]))
    return Offer(0, int(length) if length.isdigit() else None)
