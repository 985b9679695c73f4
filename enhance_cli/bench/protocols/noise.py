"""Noise: white and Gaussian, as the papers have it, or as it comes out of a camera."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from enhance_cli.bench.protocols.contract import Case, Setting, ready
from enhance_cli.degrade.camera import camera_noise
from enhance_cli.degrade.noise import add_noise
from enhance_cli.metrics.measure import EightBit, Levels


@dataclass(frozen=True)
class Noise(Setting):
    """White Gaussian noise, seeded per picture; measured on 8-bit results, all channels.

    "awgn": neither clipped nor rounded, as in DnCNN's and FFDNet's code.  "awgn-8bit": clipped and rounded,
    as a noisy file is, and RNAN's test pictures are.

    The baseline is the noisy picture as the network gets it: 20.17 dB at sigma 25 under "awgn".
    """

    task, baseline = "denoise", "noisy"
    sigma: float
    protocol: str = "awgn"

    @property
    def name(self) -> str:
        """As tables head it, "sigma 25"."""
        return f"sigma {self.sigma:g}"

    @property
    def condition(self) -> float:
        """The noise level, for networks that are told."""
        return self.sigma

    def degrade(self, clean: EightBit, seed: int) -> Case:
        """Add the noise that `seed` gives."""
        noisy: Levels = add_noise(clean, self.sigma, seed)
        if self.protocol == "awgn-8bit":
            noisy = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
        return Case(noisy, clean, noisy)


@dataclass(frozen=True)
class CameraNoise(Setting):
    """Noise that went through a camera, seeded per picture, in 8 bits; measured on all channels.

    Networks that are told a strength are told what `enhance` finds in the picture unasked.
    """

    task, protocol, baseline = "denoise", "camera-noise", "noisy"
    unasked = needs_colour = True

    def degrade(self, clean: EightBit, seed: int) -> Case:
        """Add the noise that `seed` gives."""
        return ready(clean, camera_noise(clean, seed))
