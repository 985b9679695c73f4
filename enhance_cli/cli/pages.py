"""Memory that the process keeps: networks spent up to half of their time on page faults."""

from __future__ import annotations

import os
import sys

from enhance_cli.engine.memory import MAPPED

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""glibc's numbers, from malloc.h."""
KEPT = 1 << 30
"""Bytes of free memory that are kept for the next layer: as many as the maps of one tile may take."""


def keep_pages() -> None:
    """Ask for huge pages, and keep what a layer has freed for the next; the user's own environment wins.

    torch looks once for its variable, when it takes its first memory, and Linux alone heeds it. glibc would
    give memory back to the system whenever a layer's maps go, to be faulted in again by the next layer.
    """
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    if sys.platform != "linux" or "GLIBC_TUNABLES" in os.environ:
        return
    # Only here: it takes milliseconds to import.
    import ctypes

    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):  # another C library
        return
    if "MALLOC_TRIM_THRESHOLD_" not in os.environ:
        mallopt(M_TRIM_THRESHOLD, KEPT)
    if "MALLOC_MMAP_THRESHOLD_" not in os.environ:
        mallopt(M_MMAP_THRESHOLD, MAPPED)
