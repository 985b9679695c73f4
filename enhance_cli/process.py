"""What concerns the whole process.  The command calls `prepare`; the library never does."""

from __future__ import annotations

import os
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""glibc's numbers, from malloc.h."""
KEPT_BYTES = 1 << 30
"""Free memory that is kept for the next layer: as much as the feature maps of one tile may take."""
MAPPED_BYTES = 32 << 20
"""Size from which glibc maps an array by itself, and gives it back when it goes; it takes no more."""
REUSED_BYTES = MAPPED_BYTES - (16 << 10)
"""Size of the largest array whose memory serves the next one; what is taken off is for its alignment."""


def prepare() -> None:
    """Ask for huge pages, and keep what a layer has freed for the next; the user's own environment wins.

    Networks spent up to half of their time on page faults without.  torch looks once for its variable, when
    it takes its first memory, and Linux alone heeds it.  glibc would give memory back to the system whenever
    a layer's maps go, to be faulted in again by the next layer.  Standard streams that are closed become
    empty ones.
    """
    # A file that is opened where a standard stream was closed would get what others write to the stream.
    while (handle := os.open(os.devnull, os.O_RDWR)) < 3:
        pass
    os.close(handle)
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
        mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)
    if "MALLOC_MMAP_THRESHOLD_" not in os.environ:
        mallopt(M_MMAP_THRESHOLD, MAPPED_BYTES)


def peak_megabytes() -> float | None:
    """Largest resident size of this process so far, in 10^6 bytes; None where the system does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts kibibytes, macOS bytes.
    return peak * (1 if sys.platform == "darwin" else 1024) / 1e6
