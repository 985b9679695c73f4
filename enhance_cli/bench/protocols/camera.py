"""Damage as cameras make it, drawn by our own models."""

from __future__ import annotations

from dataclasses import dataclass

from enhance_cli.bench.protocols.contract import Case, Setting, ready
from enhance_cli.degrade.blur import blur
from enhance_cli.degrade.camera import camera_noise
from enhance_cli.degrade.shake import shake_kernel
from enhance_cli.metrics.measure import EightBit


@dataclass(frozen=True)
class CameraShake(Setting):
    """Blur by a shaking camera, seeded per picture, rounded to 8 bits; measured on all channels.

    Training draws its kernels from other seeds.
    """

    task, protocol, baseline = "deblur", "shake", "blurred"

    def degrade(self, clean: EightBit, seed: int) -> Case:
        """Blur with the kernel that `seed` gives."""
        return ready(clean, blur(clean, shake_kernel(seed)))


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
