"""What this machine is and has, found out without loading torch or any other runtime."""

from __future__ import annotations

import os
import platform
import sys
from functools import cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

NATIVE = {
    "bfloat16": ("amx_bf16", "avx512_bf16", "bf16"),
    "float16": ("amx_fp16", "avx512_fp16", "asimdhp"),
}
"""Instruction sets, as Linux names them, that multiply in each precision; "bf16" and "asimdhp" are ARM's."""
USEFUL = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8", "asimd", "sve", "i8mm")
"""Others that networks profit from."""
APPLE = ("asimd", "asimdhp")
"""What all of Apple's own processors have; macOS has no file that tells."""


@cache
def processor() -> str:
    """The processor's model, as the system names it."""
    return _cpuinfo("model name") or platform.processor() or platform.machine() or "unknown"


@cache
def instructions() -> tuple[str, ...]:
    """Instruction sets that networks profit from; empty where the system does not tell."""
    if sys.platform == "darwin" and platform.machine() == "arm64":
        return APPLE
    found = set((_cpuinfo("flags") or _cpuinfo("Features")).split())
    return tuple(
        name for name in (*USEFUL, *(n for names in NATIVE.values() for n in names)) if name in found
    )


def native_precisions() -> tuple[str, ...]:
    """The reduced precisions that the processor multiplies by itself, as fast as it can or faster."""
    return tuple(name for name, sets in NATIVE.items() if set(sets) & set(instructions()))


def cpu_threads(asked: int | None) -> int:
    """That many; None: OMP_NUM_THREADS, else as many as the process may use processors."""
    if asked is not None:
        return asked
    limit = os.environ.get("OMP_NUM_THREADS", "")
    if limit.isdecimal() and int(limit) > 0:
        return int(limit)
    # macOS and Windows do not tell which processors a process may use.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def may_have_gpu() -> bool:
    """Whether asking torch for a GPU could be worth the second or two that loading it takes."""
    if sys.platform == "darwin":
        return platform.machine() == "arm64"
    if (version_of("torch") or "").endswith("+cpu"):
        return False
    if sys.platform == "win32":
        return (Path(os.environ.get("SYSTEMROOT", r"C:\Windows")) / "System32" / "nvcuda.dll").exists()
    # The last two: Windows' Linux, and AMD.
    return any(Path(path).exists() for path in ("/dev/nvidiactl", "/dev/nvhost-gpu", "/dev/dxg", "/dev/kfd"))


def is_installed(name: str) -> bool:
    """Whether Python would find a package of that name."""
    return find_spec(name) is not None


@cache
def version_of(name: str) -> str | None:
    """Version of an installed package, which is not loaded; None where there are no metadata."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _cpuinfo(key: str) -> str:
    """The first entry of that key in what Linux tells about its processors; else empty."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name.strip() == key:
            return value.strip()
    return ""
