"""What a user says besides a weights file.  No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite, nan

from enhance_cli.arch.contract import Task
from enhance_cli.errors import ModelError


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What the user said besides the file; a layout takes from it what the file leaves open."""

    task: Task | None = None
    scale: float | None = None
    """Enlargement asked for, for files that hold several."""
    condition: float | None = None
    """Strength asked for (noise sigma 0..255), for files that hold a network for each."""
    options: Mapping[str, str] = field(default_factory=dict)
    """`--arch-option NAME=VALUE`, for hyper-parameters that shapes do not reveal."""

    def number(self, name: str, default: float) -> float:
        """The option as a finite number; ModelError if it is none."""
        text = self.options.get(name)
        try:
            number = default if text is None else float(text)
        except ValueError:
            number = nan
        if not isfinite(number):
            raise ModelError(f"--arch-option {name}={text} is not a number; write it like {name}={default:g}")
        return number
