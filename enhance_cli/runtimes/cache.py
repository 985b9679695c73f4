"""Prepared networks and what was measured, kept between runs: files in the user's cache folder.

A network is `KEY.json`, what is known of it, and `KEY.onnx`, its graph; `KEY-PLACE.json` holds how fast the
runtimes are here, where PLACE stands for processor, threads and versions of the runtimes.  The key stands for
weights, settings and exporter.  All are written whole or not at all, and what does not fit counts as missing:
others may write here too, disks fill up, and programs are killed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import enhance_cli
from enhance_cli.arch.contract import ArchSpec
from enhance_cli.errors import WriteError
from enhance_cli.imaging.files import write_atomic
from enhance_cli.runtimes import machine
from enhance_cli.runtimes.contract import NetworkSource, UnavailableError

FORMAT = 1
"""Raised when files mean something else than before, or graphs are written otherwise."""
LARGEST_CACHE = 2 << 30
"""Bytes that are kept; what was not used for longest goes first."""
TRIAL_SECONDS = 60
"""How long it may take at most until a runtime that is tried has computed a network."""


@dataclass(frozen=True)
class Prepared:
    """What is known of a network without reading its weights."""

    name: str
    """Of the weights, when it was prepared."""
    spec: ArchSpec
    floats_per_pixel: float
    """In the largest feature map, for each input pixel."""
    graph: bytes | None
    """ONNX; None where there is none."""
    problem: str | None = None
    """Why there is none, in a few words."""


@dataclass(frozen=True)
class Timing:
    """How a runtime computes a network in one precision, compared with torch in float32."""

    milliseconds: float
    """For a tenth of a megapixel, or for less with networks that take long for it."""
    faithful: bool
    """Whether its result cannot be told from float32; see `probe`."""


Timings = dict[str, Timing]
"""By runtime and precision, for example "openvino bfloat16"."""


def folder() -> Path | None:
    """Where they are kept; None for users without a home folder."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    with contextlib.suppress(RuntimeError):
        # The standard has relative paths ignored.
        return (Path(base) if os.path.isabs(base) else Path.home() / ".cache") / "enhance" / "networks"
    return None


def key_of(network: NetworkSource) -> str:
    """Name of the network's files."""
    exporter = [FORMAT, enhance_cli.__version__, machine.version_of("torch")]
    return _digest([exporter, network.sha256, network.variant])


def place_of(threads: int) -> str:
    """Name of what speed depends on besides the network; it outlasts days and restarts."""
    versions = [machine.version_of(name) for name in ("torch", "openvino", "onnxruntime")]
    return _digest([machine.processor(), machine.instructions(), threads, versions])[:16]


def load(key: str) -> Prepared | None:
    """The network of that name; None if there is none, or its files are not whole."""
    entry = _read(key)
    try:
        fields = dict(entry["spec"])
        spec = ArchSpec(**{**fields, "half": tuple(fields["half"])})
        graph = None
        if entry["graph"] is not None:
            path = _path(f"{key}.onnx")
            graph = path.read_bytes()
            if hashlib.sha256(graph).hexdigest() != entry["graph"]:
                return None
            if time.time() - path.stat().st_mtime > 24 * 3600:
                with contextlib.suppress(OSError):
                    path.touch()  # used
        return Prepared(str(entry["name"]), spec, float(entry["floats_per_pixel"]), graph, entry["problem"])
    except (OSError, TypeError, ValueError, KeyError):
        return None


def store(key: str, network: Prepared) -> None:
    """Keep it; WriteError if that cannot be."""
    digest = None
    if network.graph is not None:
        write_atomic(_path(f"{key}.onnx"), network.graph)
        digest = hashlib.sha256(network.graph).hexdigest()
    # Last, because it vouches for the other.
    _write(key, **{**asdict(network), "graph": digest})
    # What was not used for longest makes room.
    total = 0
    for path, stat in sorted(_files(), key=lambda one: one[1].st_mtime, reverse=True):
        total += stat.st_size
        if total > LARGEST_CACHE:
            with contextlib.suppress(OSError):
                path.unlink()


def load_timings(key: str, place: str) -> Timings:
    """What was measured of that network here; empty if nothing was."""
    entry = _read(f"{key}-{place}")
    found = {}
    try:
        for label, one in entry["timings"].items():
            found[label] = Timing(float(one["milliseconds"]), one["faithful"] is True)
            if not 0 < found[label].milliseconds < float("inf"):
                return {}
    except (TypeError, ValueError, KeyError, AttributeError, OverflowError):
        return {}
    return found


def store_timings(key: str, place: str, name: str, timings: Timings) -> None:
    """Keep what was measured; WriteError if that cannot be."""
    _write(f"{key}-{place}", name=name, timings={label: asdict(one) for label, one in timings.items()})


def measured_here(place: str) -> dict[str, Timings]:
    """What is known of all prepared networks at that place, by name of the weights."""
    root = folder()
    found = {}
    for path in sorted(root.glob(f"*-{place}.json")) if root else []:
        timings = load_timings(path.stem.partition("-")[0], place)
        if timings:
            found[str(_read(path.stem).get("name"))] = timings
    return found


def is_writable() -> str | None:
    """None if it is, else why not, in a few words."""
    try:
        write_atomic(_path(".probe"), b"")
        _path(".probe").unlink(missing_ok=True)
    except (WriteError, OSError) as error:
        return str(error)
    return None


def size() -> int:
    """Bytes that all files take."""
    return sum(stat.st_size for _, stat in _files())


@contextlib.contextmanager
def trial(key: str, runtime: str) -> Iterator[None]:
    """Marks that a runtime computes a network for the first time, which may crash the process.

    UnavailableError if that has happened before.
    """
    root = folder()
    if root is None:
        yield
        return
    marker = root / f"{key}-{runtime}-{machine.version_of(runtime)}.trial"
    with contextlib.suppress(OSError):
        if time.time() - marker.stat().st_mtime < TRIAL_SECONDS:
            raise UnavailableError("another run is trying it just now, or has crashed")
        raise UnavailableError(f"it crashed the last time; remove {marker} to try again")
    with contextlib.suppress(WriteError):
        write_atomic(marker, b"")
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            marker.unlink(missing_ok=True)


def _path(name: str) -> Path:
    root = folder()
    if root is None:
        raise WriteError("there is no home folder; set XDG_CACHE_HOME")
    return root / name


def _read(stem: str) -> dict[str, Any]:
    """The JSON object of that name; empty if there is none, or something else lies there."""
    try:
        entry = json.loads(_path(f"{stem}.json").read_bytes())
        return entry if isinstance(entry, dict) and entry["key"] == stem else {}
    except (WriteError, OSError, ValueError, KeyError, RecursionError):
        return {}


def _write(stem: str, **entry: object) -> None:
    write_atomic(_path(f"{stem}.json"), json.dumps({"key": stem, **entry}, indent=1).encode())


def _digest(told: list[Any]) -> str:
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def _files() -> list[tuple[Path, os.stat_result]]:
    """Ours, those left by killed processes among them."""
    root, found = folder(), []
    for pattern in ("*.json", "*.onnx", "*.trial", ".*.part"):
        for path in root.glob(pattern) if root else []:
            with contextlib.suppress(OSError):  # another process was faster
                found.append((path, path.stat()))
    return found
