"""The learning rate over a run: shares of its peak, by the seconds of training and the steps so far."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

REWARM_STEPS = 100
"""Steps in which the rate rises again where a long run goes on with fresh moments."""


class Schedule(Protocol):
    """How fast a sitting learns, and when it ends."""

    @property
    def begin(self) -> float:
        """Seconds of training, those of earlier sittings included, from which it holds."""

    @property
    def end(self) -> float:
        """Seconds at which the sitting ends."""

    def share(self, seconds: float, steps: int) -> float:
        """Share of the peak rate, 0..1, `steps` after the optimiser's moments were fresh."""


@dataclass(frozen=True)
class Budget:
    """A linear rise, then a cosine down to 0 at the end of the time, however many sittings that takes."""

    end: float
    warmup: float
    """Share of the time."""
    begin: float = 0.0

    def share(self, seconds: float, steps: int) -> float:
        """By time alone."""
        progress = seconds / self.end
        if progress < self.warmup:
            return max(progress / self.warmup, 0.01)
        return 0.5 * (1 + math.cos(math.pi * min((progress - self.warmup) / (1 - self.warmup), 1.0)))


@dataclass(frozen=True)
class Steps:
    """A rate that drops at equal intervals, as often as `drops` says, each time to `drop` of what it was."""

    end: float
    drops: int
    drop: float
    begin: float = 0.0

    def share(self, seconds: float, steps: int) -> float:
        """By time alone."""
        return self.drop ** min(int(seconds / self.end * (self.drops + 1)), self.drops)


@dataclass(frozen=True)
class Constant:
    """The long stretch of a run that goes on over many sittings: a linear rise, then the peak."""

    begin: float
    end: float
    warmup_steps: int

    def share(self, seconds: float, steps: int) -> float:
        """By steps alone."""
        return min((steps + 1) / self.warmup_steps, 1.0)


@dataclass(frozen=True)
class Cooldown:
    """A linear fall to 0, which finishes the weights of a long run."""

    begin: float
    end: float
    warmup_steps: int

    def share(self, seconds: float, steps: int) -> float:
        """By time, and by steps where the moments are fresh."""
        left = max((self.end - seconds) / (self.end - self.begin), 0.0)
        return left * min((steps + 1) / self.warmup_steps, 1.0)
