"""Blur by a movement of the camera, drawn by our own models."""

from __future__ import annotations

from dataclasses import dataclass

from enhance_cli.bench.datasets.layouts import PAIRED
from enhance_cli.bench.protocols.contract import Case, Setting, ready
from enhance_cli.degrade.blur import blur, motion_kernel
from enhance_cli.degrade.shake import shake_kernel
from enhance_cli.metrics.measure import EightBit


@dataclass(frozen=True)
class MotionBlur(Setting):
    """Blur by a random camera path, seeded per picture, rounded to 8 bits; measured on all channels."""

    task, protocol, baseline = "deblur", "motion", "blurred"
    published = False
    inputs = PAIRED

    def degrade(self, clean: EightBit, seed: int) -> Case:
        """Blur with the kernel that `seed` gives."""
        return ready(clean, blur(clean, motion_kernel(seed)))


@dataclass(frozen=True)
class CameraShake(Setting):
    """Blur by a shaking camera, seeded per picture, rounded to 8 bits; measured on all channels.

    Training draws its kernels from other seeds.
    """

    task, protocol, baseline = "deblur", "shake", "blurred"
    published, unasked = False, True

    def degrade(self, clean: EightBit, seed: int) -> Case:
        """Blur with the kernel that `seed` gives."""
        return ready(clean, blur(clean, shake_kernel(seed)))
