"""Runs of `enhance` and of others over the same batch."""

import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from child import enhance, python
from contenders import CONTENDERS, Contender
from networks import Network, Ready
from PIL import Image

OURS = "enhance"
REFERENCE = CONTENDERS[0].name
"""Whose results the others' are compared with."""


@dataclass(frozen=True)
class Batch:
    """What all contenders are given."""

    network: Network
    ready: Ready
    folder: Path
    """Holds pictures in `in`, a small one in `tiny`, and everybody's results."""
    threads: int
    count: int
    megapixels: float
    """Of all pictures together."""

    def results(self, name: str) -> Path:
        """Where a contender's lie."""
        return self.folder / name.replace(" ", "-")

    def emptied(self, name: str) -> Path:
        """The same place, without those of an earlier round."""
        shutil.rmtree(self.results(name), ignore_errors=True)
        return self.results(name)


@dataclass(frozen=True)
class Run:
    """What one contender took for a batch."""

    name: str
    label: str
    seconds: float
    """From the first picture to the last; of one run of `enhance`, with its startup."""
    computing: float
    """Of the network alone."""
    startup: float
    megabytes: float
    levels: int | None = None
    """Largest difference from the reference's results."""


def measure(batch: Batch, contenders: Sequence[Contender], rounds: int) -> tuple[list[Run], dict[str, str]]:
    """The best of `enhance` and of each contender, and what went wrong by name."""
    (batch.folder / "network.json").write_text(json.dumps(asdict(batch.ready)))
    # Once for nothing: the first time, backends are compared.
    enhance(*_command(batch), batch.folder / "tiny", batch.emptied("nothing"))
    runs: dict[str, list[Run]] = {}
    problems: dict[str, str] = {}
    names = [*(one.name for one in contenders), OURS]
    for _ in range(rounds):
        for name in names:
            if name not in problems:
                print(f"{batch.network.name}, {batch.threads} threads: {name}", file=sys.stderr)
                try:
                    run = _ours(batch) if name == OURS else _foreign(batch, name)
                    runs.setdefault(name, []).append(run)
                except RuntimeError as error:
                    problems[name] = str(error)
    kept = [name for name in names if name in runs and name not in problems]
    return [replace(_best(runs[name]), levels=_levels(batch, name)) for name in kept], problems


def _best(runs: Sequence[Run]) -> Run:
    seconds, computing, startup = (
        min(getattr(one, what) for one in runs) for what in ("seconds", "computing", "startup")
    )
    if runs[0].name == OURS:
        # Less than the network alone takes it is only where other programs slowed the small picture down.
        seconds = max(seconds - startup, computing)
    return replace(
        runs[0],
        seconds=seconds,
        computing=computing,
        startup=startup,
        megabytes=max(one.megabytes for one in runs),
    )


def _command(batch: Batch) -> list[object]:
    network = batch.network
    return [network.task, *network.flags, "--weights", batch.ready.weights, "--threads", batch.threads]


def _ours(batch: Batch) -> Run:
    """RuntimeError tells what failed."""
    tiny = enhance(*_command(batch), batch.folder / "tiny", batch.emptied("nothing"))
    taken = enhance(*_command(batch), "--json", batch.folder / "in", batch.emptied(OURS))
    events = [json.loads(line) for line in taken.output.splitlines()]
    files = [event for event in events if event["event"] == "file"]
    if taken.code or tiny.code:
        errors = (event["error"] for event in files if "error" in event)
        raise RuntimeError(next(errors, f"exit code {taken.code or tiny.code}"))
    return Run(
        name=OURS,
        label=f"**{OURS}** ({files[0]['backend']})",
        seconds=taken.seconds,
        computing=sum(event["seconds"]["restore"] for event in files),
        startup=tiny.seconds,
        megabytes=taken.megabytes,
    )


def _foreign(batch: Batch, name: str) -> Run:
    """RuntimeError tells what failed."""
    paths = (batch.folder / "network.json", batch.folder / "in", batch.emptied(name))
    taken = python(Path(__file__).with_name("contenders.py"), name, batch.threads, *paths)
    if taken.code:
        raise RuntimeError(f"exit code {taken.code}")
    # Runtimes may have talked before.
    found = json.loads(taken.output.splitlines()[-1])
    if "error" in found:
        raise RuntimeError(found["error"])
    startup = taken.seconds - found["seconds"]
    return Run(name, name, found["seconds"], found["computing"], startup, taken.megabytes)


def _levels(batch: Batch, name: str) -> int | None:
    pairs = [
        (path, batch.results(name) / path.name) for path in sorted(batch.results(REFERENCE).glob("*.png"))
    ]
    return max((_difference(*pair) for pair in pairs), default=None)


def _difference(one: Path, other: Path) -> int:
    a, b = (np.asarray(Image.open(path)).astype(np.int16) for path in (one, other))
    return int(np.abs(a - b).max())
