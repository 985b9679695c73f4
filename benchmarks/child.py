"""`enhance` as a process of its own, and what it took."""

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


def enhance(*arguments: object) -> Taken:
    """Run `enhance --quiet` of this checkout with the arguments and wait for its end."""
    command = [sys.executable, "-m", "enhance_cli", *map(str, arguments), "--quiet"]
    start = time.perf_counter()
    process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(REPO)})
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return Taken(process.returncode, time.perf_counter() - start, usage.ru_maxrss / UNIT)
