"""How much memory this process has taken."""

from __future__ import annotations

import sys


def peak_megabytes() -> float | None:
    """Largest resident size of this process so far, in 10^6 bytes; None where the system does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts kibibytes, macOS bytes.
    return peak * (1 if sys.platform == "darwin" else 1024) / 1e6
