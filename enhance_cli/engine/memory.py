"""How much memory this process has taken, and what of it can be kept."""

from __future__ import annotations

import sys

MAPPED = 32 << 20
"""Bytes from which on glibc maps an array by itself, and gives it back when it goes; it takes no more."""
LARGEST_KEPT = MAPPED - (16 << 10)
"""Bytes of the largest array whose memory serves the next one; what is taken off is for its alignment."""


def peak_megabytes() -> float | None:
    """Largest resident size of this process so far, in 10^6 bytes; None where the system does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts kibibytes, macOS bytes.
    return peak * (1 if sys.platform == "darwin" else 1024) / 1e6
