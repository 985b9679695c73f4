"""What `--memory` means: how the memory of the process is shared out."""

from __future__ import annotations

import re
from dataclasses import dataclass

from enhance_cli.errors import UsageError

PROGRAM_BYTES = 600_000_000
"""Of the libraries and a network without a picture; 330 to 560 MB measured, by runtime."""
SMALLEST_BYTES = 1_000_000_000
UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


@dataclass(frozen=True)
class Budget:
    """Memory of the process, in bytes: a third of what the program leaves for each of three."""

    total: int

    @property
    def share(self) -> int:
        """Of the tiles in the network, of the picture in hand with its result, and of the one read ahead."""
        return (self.total - PROGRAM_BYTES) // 3


def parsed(text: str) -> Budget:
    """What --memory takes: bytes, or with a unit, such as 2G or 1.5G; UsageError for all else."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?) ?([kmgt]?)(?:i?b)?", text.strip().lower())
    if not match:
        raise UsageError(f"--memory {text!r} is no size; give one such as 2G or 1500M")
    total = int(float(match[1]) * UNITS[match[2]])
    if total < SMALLEST_BYTES:
        raise UsageError(f"--memory {text} is too little: the program alone takes 600 MB; give 1G or more")
    return Budget(total)
