"""What the machine is, and how fast it multiplies matrices.

python benchmarks/machine.py THREADS               # 10^9 float32 operations a second
"""

import os
import platform
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from child import python

PACKAGES = (
    "torch",
    "ncnn",
    "onnxruntime",
    "openvino",
    "opencv-python-headless",
    "opencv-python",
    "pillow",
    "numpy",
)
SIDE, ENOUGH = 2048, 1.5
"""Of the matrices, and seconds after which the best is taken."""
CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
"""That this process was given."""
QUIET = 0.5
"""Load up to which nothing else is running."""


def described() -> list[str]:
    """Processor, versions and load, in a line each."""
    cores, load = len(CORES) or os.cpu_count() or 1, os.getloadavg()[0]
    found = [f"{name} {version(name)}" for name in PACKAGES if _is_installed(name)]
    return [
        f"{processor()}, {cores} core{'s' * (cores > 1)}; {platform.system()}",
        ", ".join([f"Python {platform.python_version()}", *found]),
        f"load at the beginning: {load:.1f}{' (other programs were computing)' * (load > QUIET)}",
    ]


def processor() -> str:
    """As the system calls it."""
    told = Path("/proc/cpuinfo")
    lines = told.read_text().splitlines() if told.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return (names or [platform.processor() or platform.machine()])[0]


def _is_installed(package: str) -> bool:
    try:
        return bool(version(package))
    except PackageNotFoundError:
        return False


def restrict(threads: int) -> None:
    """Give this process and its children as many cores as threads, where the system lets it."""
    if CORES:
        os.sched_setaffinity(0, CORES[:threads])


def give_way() -> None:
    """Have Linux end children of this process, and no other program, where memory runs out."""
    told = Path("/proc/self/oom_score_adj")
    if told.exists():
        told.write_text("1000")


def multiply_rate(threads: int) -> float:
    """Operations a second of a float32 matrix product by torch, in a process of its own."""
    return float(python(__file__, threads).output) * 1e9


def _measure(threads: int) -> float:
    import torch

    torch.set_num_threads(threads)
    a, b = torch.rand(2, SIDE, SIDE)
    best, end = float("inf"), time.perf_counter() + ENOUGH
    while time.perf_counter() < end:
        start = time.perf_counter()
        a @ b
        best = min(best, time.perf_counter() - start)
    return 2 * SIDE**3 / best


if __name__ == "__main__":
    print(_measure(int(sys.argv[1])) / 1e9)
