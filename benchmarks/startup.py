"""What a run of `enhance` takes besides its arithmetic."""

import json
import tempfile
from pathlib import Path

import pictures
from child import Taken, enhance, python

ROUNDS = 5
SIDE = 256


def startup(threads: int) -> str:
    """A table: importing torch, `enhance --version`, and one small picture; the best of several, in turns."""
    best = [float("inf")] * 3
    arithmetic = float("inf")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pictures.make(folder / "in", 1, (SIDE, SIDE), gray=False)
        first = _denoise(folder, threads)
        for _ in range(ROUNDS):
            taken = [
                python("-c", "import torch"),
                python("-m", "enhance_cli", "--version"),
                _denoise(folder, threads),
            ]
            best = [min(old, new.seconds) for old, new in zip(best, taken, strict=True)]
            arithmetic = min(arithmetic, _arithmetic(taken[-1]))
    torch, version, denoise = best
    rows = [
        ('`python -c "import torch"`', torch),
        ("`enhance --version`", version),
        (f"`enhance denoise` of one picture of {SIDE}x{SIDE}", denoise),
        ("the same without its arithmetic", denoise - arithmetic),
        ("the same for the first time, which compares backends", first.seconds),
    ]
    lines = [f"| {what} | {seconds:.2f} | {seconds / torch:.2f} |" for what, seconds in rows]
    head = [
        f"## Startup, {threads} thread{'s' * (threads > 1)}",
        "",
        "| | seconds | x import torch |",
        "|---|---|---|",
    ]
    return "\n".join([*head, *lines, ""])


def _denoise(folder: Path, threads: int) -> Taken:
    return enhance(
        "denoise", "--sigma", 25, "--threads", threads, "--json", "--overwrite", folder / "in", folder / "out"
    )


def _arithmetic(taken: Taken) -> float:
    """Seconds in which the network ran."""
    events = [json.loads(line) for line in taken.output.splitlines()]
    return sum(event["seconds"]["restore"] for event in events if event["event"] == "file")
