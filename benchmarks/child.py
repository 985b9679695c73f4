"""`enhance` and other programs as processes of their own, and what they took."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

REPO = Path(__file__).resolve().parents[1]
PICTURES = sorted((REPO / "examples" / "reference").glob("*.png"))
# Kilobytes on Linux, bytes on macOS.
UNIT = 1e6 if sys.platform == "darwin" else 1e6 / 1024


@dataclass(frozen=True)
class Taken:
    code: int
    seconds: float
    megabytes: float
    """Peak resident memory. Counts this process at the moment of the fork too: hold nothing large here."""
    output: str
    """What it wrote to standard output."""


def python(*arguments: object, repo: Path = REPO) -> Taken:
    """Run this Python with the checkout at `repo` in reach, and wait for its end."""
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(repo)},
        stdout=subprocess.PIPE,
    )
    with process.stdout as stdout:
        output = stdout.read().decode()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return Taken(process.returncode, time.perf_counter() - start, usage.ru_maxrss / UNIT, output)


def enhance(*arguments: object, repo: Path = REPO) -> Taken:
    """Run `enhance --quiet` of a checkout with the arguments and wait for its end."""
    return python("-m", "enhance_cli", *arguments, "--quiet", repo=repo)
