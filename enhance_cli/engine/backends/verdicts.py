"""What was found out about converted networks, kept between runs: a small file for each in the cache.

The network itself is not kept, because converting it takes less than reading a cache with care would.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import platform
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from enhance_cli.engine.backends.graph import Graph
from enhance_cli.errors import WriteError
from enhance_cli.imaging.files import write_atomic

FORMAT = 3
"""Raised when what is measured, or how, changes: older entries are not found any more."""
VALID = 24 * 3600
"""Seconds after which a comparison is made anew: other work on the machine may have spoilt it."""
MOST = 200
"""Entries that are kept; the ones written first go."""


@dataclass(frozen=True)
class Verdict:
    """How a converted network compares with torch."""

    difference: float
    """Largest on the probe, over the value range."""
    gain: float
    """Seconds of torch over its seconds."""


def key_of(graph: Graph, backend: str, version: str) -> str:
    """Name of the entry: what was converted, and all that the comparison depends on."""
    where = [
        FORMAT,
        backend,
        version,
        torch.get_num_threads(),
        platform.node(),
        platform.processor(),
        torch.backends.cpu.get_cpu_capability(),
        torch.__version__,
    ]
    layers = [(one.kind, one.inputs, one.output, sorted(one.options.items())) for one in graph.layers]
    level = None if graph.level is None else asdict(graph.level)
    told = [where, layers, graph.output, graph.channels, level]
    digest = hashlib.sha256(json.dumps(told).encode())
    for layer in graph.layers:
        for weight in layer.weights:
            digest.update(np.ascontiguousarray(weight.float().numpy()).tobytes())
    return digest.hexdigest()


def load(key: str) -> Verdict | None:
    """The verdict stored under that name; None if there is none, or something else lies there."""
    try:
        path = _folder() / f"{key}.json"
        if not 0 <= time.time() - path.stat().st_mtime < VALID:
            return None
        entry = json.loads(path.read_bytes())
        verdict = Verdict(float(entry["difference"]), float(entry["gain"]))
        whole = entry["key"] == key
    except (OSError, RuntimeError, ValueError, OverflowError, TypeError, KeyError):
        # RuntimeError: no home folder, or rubbish nested too deep.
        return None
    return verdict if whole and math.isfinite(verdict.gain) and verdict.difference >= 0 else None


def store(key: str, verdict: Verdict) -> None:
    """Keep a verdict, where the cache can be written; processes that do so at once do no harm."""
    with contextlib.suppress(WriteError, RuntimeError):
        text = json.dumps({"key": key, **asdict(verdict)})
        write_atomic(_folder() / f"{key}.json", text.encode())
        _prune()


def _folder() -> Path:
    """RuntimeError for users without a home folder."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    # The standard has relative paths ignored.
    root = Path(base) if os.path.isabs(base) else Path.home() / ".cache"
    return root / "enhance" / "backends"


def _prune() -> None:
    """Remove the oldest files beyond MOST, those left by killed processes among them."""
    ages = []
    for path in (*_folder().glob("*.json"), *_folder().glob(".*.part")):
        with contextlib.suppress(OSError):  # another process was faster
            ages.append((path.stat().st_mtime, path))
    for _, path in sorted(ages, reverse=True)[MOST:]:
        with contextlib.suppress(OSError):
            path.unlink()
