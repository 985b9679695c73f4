"""Bayer mosaics."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from enhance_cli.arch.contract import Task
from enhance_cli.bench.protocols.contract import Case, Clean, Levels, Metrics, plain, ready
from enhance_cli.errors import ImageError
from enhance_cli.imaging.mosaic import NETWORKS, interpolated, thinned


@dataclass(frozen=True)
class Mosaic:
    """The Bayer mosaic, G R above B G as RNAN's authors have it; PSNR and SSIM on RGB, nothing shaved."""

    task: ClassVar[Task] = "demosaic"
    baseline: ClassVar[str] = "bilinear"
    gray: ClassVar[bool] = False
    scale: ClassVar[int] = 1
    exact: ClassVar[bool] = False
    protocol: ClassVar[str] = "bayer"
    condition: ClassVar[None] = None
    name: ClassVar[str] = "bayer"

    def degrade(self, clean: Clean, seed: int) -> Case:
        """Keep one colour per pixel."""
        colour = clean.repeat(3 // clean.shape[2], axis=2)
        given = thinned(colour, NETWORKS)
        return Case(given, colour, np.asarray(interpolated(given), np.uint8))

    def accept(self, clean: Clean, given: Clean) -> Case:
        """A mosaic made elsewhere, with zeros or as the samples in one channel; ImageError if it is none."""
        colour = clean.repeat(3 // clean.shape[2], axis=2)
        mosaic = np.asarray(thinned(given, NETWORKS), np.uint8)
        if given.shape[2] == 3 and not np.array_equal(mosaic, given):
            raise ImageError("the input is no mosaic of G R above B G with zeros elsewhere")
        case = ready(colour, mosaic)
        return replace(case, baseline=np.asarray(interpolated(mosaic), np.uint8))

    def measure(self, result: Levels, reference: Clean) -> Metrics:
        """Compare (H, W, 3) with the reference on all channels."""
        return plain(result, reference)
