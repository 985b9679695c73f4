"""Gaussian noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from enhance_cli.arch.contract import Task
from enhance_cli.bench.protocols.contract import Case, Clean, Levels, Metrics, plain, ready
from enhance_cli.degrade.noise import add_noise


@dataclass(frozen=True)
class Noise:
    """White Gaussian noise, seeded per picture; measured on 8-bit results, all channels.

    "awgn": neither clipped nor rounded, as in DnCNN's and FFDNet's code.  "awgn-8bit": clipped and rounded,
    as a noisy file is, and RNAN's test pictures are.

    The baseline is the noisy picture as the network gets it: 20.17 dB at sigma 25 under "awgn".
    """

    task: ClassVar[Task] = "denoise"
    baseline: ClassVar[str] = "noisy"
    gray: ClassVar[bool] = False
    scale: ClassVar[int] = 1
    exact: ClassVar[bool] = False
    sigma: float
    protocol: Literal["awgn", "awgn-8bit"] = "awgn"

    @property
    def name(self) -> str:
        """As tables head it, "sigma 25"."""
        return f"sigma {self.sigma:g}"

    @property
    def condition(self) -> float:
        """The noise level, for networks that are told."""
        return self.sigma

    def degrade(self, clean: Clean, seed: int) -> Case:
        """Add the noise that `seed` gives."""
        noisy: Levels = add_noise(clean, self.sigma, seed)
        if self.protocol == "awgn-8bit":
            noisy = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
        return Case(noisy, clean, noisy)

    def accept(self, clean: Clean, given: Clean) -> Case:
        """A picture that was made noisy elsewhere."""
        return ready(clean, given)

    def measure(self, result: Levels, reference: Clean) -> Metrics:
        """Compare (H, W, C) with the reference on all channels."""
        return plain(result, reference)
