"""Bayer mosaics."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from enhance_cli.bench.protocols.contract import Case, Setting, ready
from enhance_cli.errors import ImageError
from enhance_cli.imaging.mosaic import NETWORK_PATTERN, interpolated, thinned
from enhance_cli.metrics.measure import EightBit


@dataclass(frozen=True)
class Mosaic(Setting):
    """The Bayer mosaic, G R above B G as RNAN's authors have it; PSNR and SSIM on RGB, nothing shaved."""

    task, protocol, baseline = "demosaic", "bayer", "bilinear"

    def degrade(self, clean: EightBit, seed: int) -> Case:
        """Keep one colour per pixel."""
        colour = clean.repeat(3 // clean.shape[2], axis=2)
        return self.accept(colour, thinned(colour, NETWORK_PATTERN))

    def accept(self, clean: EightBit, given: EightBit) -> Case:
        """A mosaic made elsewhere, with zeros or as the samples in one channel.

        Raises ImageError if it is none.
        """
        colour = clean.repeat(3 // clean.shape[2], axis=2)
        mosaic = np.asarray(thinned(given, NETWORK_PATTERN), np.uint8)
        if given.shape[2] == 3 and not np.array_equal(mosaic, given):
            raise ImageError("the input is no mosaic of G R above B G with zeros elsewhere")
        case = ready(colour, mosaic)
        return replace(case, baseline=np.asarray(interpolated(mosaic), np.uint8))
