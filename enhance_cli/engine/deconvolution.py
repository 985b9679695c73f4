"""Undoing a blur whose kernel the picture itself tells, with a denoiser's idea of what pictures look like.

Half-quadratic splitting: a least-squares step towards a picture that explains the blurred one, then a denoising
step, in turn, the noise that is told to the denoiser falling each time (Zhang et al., "Plug-and-Play Image
Restoration with Deep Denoiser Prior", TPAMI 2021, equations 6 and 7).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from enhance_cli.imaging.blur_kernel import SEARCHES, Kernel, Luma, estimate_kernel, spectrum, wrapped
from enhance_cli.imaging.colour import from_float, to_float
from enhance_cli.imaging.picture import Pixels, Plane
from enhance_cli.imaging.survey import LUMA
from enhance_cli.runtimes.contract import Batch

Denoise = Callable[[Plane, float], Plane]
"""(H, W, C) float32 in [0, 1] and the standard deviation of its noise on the 0..255 scale -> the same without."""

SIGMAS = tuple(float(sigma) for sigma in np.geomspace(49, 20, 5))
"""Told to the denoiser, one step each.  It ends at much more than a picture's own noise: a kernel that was found is
never quite the true one, and what it gets wrong comes out as stripes that pass for noise."""
FIDELITY = 0.23
"""Weight of the denoiser against the least squares, as in the paper."""
LOOKED_AT = 512
"""Side in pixels of the part in which the kernel is looked for."""
LEAST_SIDE = 96
"""Of a picture that can be judged."""
BAND, OVERLAP = 512, 64
"""Rows that are restored at once, and how many more they see above and below."""
# Weights in the order of `fit_features`; fitted by `benchmarks/fit_kernels.py`.  The product is the gain in dB.
_GAIN = (-5.74, -8.35, -7.1, 0.31, 0.34, 0.34, 2.63, 5.84, -12.35)
LEAST_GAIN = 2.5
"""Foretold, in dB, below which a kernel is not trusted."""


@dataclass(frozen=True)
class FoundKernel:
    """The kernel that explains a picture best."""

    kernel: Kernel
    gain: float
    """Foretold, in dB."""

    @property
    def width(self) -> float:
        """Standard deviation in pixels of light about the middle."""
        offsets = np.square(np.arange(len(self.kernel)) - len(self.kernel) // 2)
        return float(np.sqrt((self.kernel * (offsets[:, None] + offsets)).sum()))


def find_kernel(
    pixels: Pixels, denoise: Denoise, is_sound: Callable[[Batch, Batch], bool] = lambda x, y: True
) -> FoundKernel | None:
    """The kernel of the blur in (H, W, C) pixels; None where none is found that deserves trust.

    `is_sound` is asked of a part of the picture and what becomes of it, both (1, C, h, w).
    """
    part = to_float(_busiest(pixels))
    if min(part.shape[:2]) < LEAST_SIDE:
        return None
    luma = _luma(part)
    found = []
    for search in SEARCHES:
        kernel = estimate_kernel(luma, search)
        sharp = deconvolved(part, kernel, denoise)
        if is_sound(part.transpose(2, 0, 1)[None], sharp.transpose(2, 0, 1)[None]):
            found.append(FoundKernel(kernel, float(fit_features(luma, _luma(sharp), kernel) @ _GAIN)))
    best = max(found, key=lambda one: one.gain, default=None)
    return best if best is not None and best.gain >= LEAST_GAIN else None


def restored(pixels: Pixels, kernel: Kernel, denoise: Denoise) -> Iterator[Pixels]:
    """(H, W, C) pixels without the blur, in bands of rows of the same type."""
    height = len(pixels)
    for top in range(0, height, BAND):
        first, bottom = max(0, top - OVERLAP), min(height, top + BAND)
        seen = to_float(pixels[first : min(height, bottom + OVERLAP)])
        sharp = deconvolved(seen, kernel, denoise)[top - first : bottom - first]
        yield from_float(sharp.clip(0, 1), pixels.dtype)


def deconvolved(blurred: Plane, kernel: Kernel, denoise: Denoise) -> Plane:
    """(H, W, C) float32 in [0, 1] without the blur, nominal range [0, 1]."""
    height, width, n_colours = blurred.shape
    planes = [wrapped(np.ascontiguousarray(blurred[..., colour]), len(kernel)) for colour in range(n_colours)]
    shape = planes[0].shape
    transfer = spectrum(kernel, (shape[0], shape[1]))
    power = np.abs(transfer) ** 2
    given = [np.conj(transfer) * np.fft.rfft2(plane) for plane in planes]
    x = np.stack(planes, 2)
    for sigma in SIGMAS:
        penalty = FIDELITY * (SIGMAS[-1] / sigma) ** 2
        for colour in range(n_colours):
            numerator = given[colour] + penalty * np.fft.rfft2(x[..., colour])
            x[..., colour] = np.fft.irfft2(numerator / (power + penalty), s=shape)
        x = np.array(denoise(x, sigma))
    return x[:height, :width]


def fit_features(blurred: Luma, sharp: Luma, kernel: Kernel) -> NDArray[np.float64]:
    """(9,) what tells how well a kernel fits, from luma with and without the blur; all logarithms but the last, 1.

    How far the sharp picture, blurred again, is from the given one; how much more evenly its gradients are
    distributed; how much larger they are, by the mean and by the mean of roots; entropy and width of the kernel;
    the gradients of the blurred picture; and how much the two differ.
    """
    again = cv2.filter2D(sharp, -1, kernel[::-1, ::-1], borderType=cv2.BORDER_REFLECT)
    margin = len(kernel) // 2
    inner = (slice(margin, -margin), slice(margin, -margin))
    slopes = [
        np.hypot(np.diff(x[inner], axis=0)[:, :-1], np.diff(x[inner], axis=1)[:-1]) for x in (sharp, blurred)
    ]
    steep, flat = slopes
    root = [float(np.sqrt(np.square(slope).mean())) for slope in slopes]
    positive = kernel[kernel > 0]
    least = 1e-6
    return np.array(
        [
            *np.log(
                [
                    255 * np.sqrt(np.square(again - blurred)[inner].mean()) + least,
                    (steep.mean() / (root[0] + least) + least) / (flat.mean() / (root[1] + least) + least),
                    (steep.mean() + least) / (flat.mean() + least),
                    (np.sqrt(steep).mean() ** 2 + least) / (np.sqrt(flat).mean() ** 2 + least),
                    -(positive * np.log(positive)).sum() + least,
                    FoundKernel(kernel, 0).width + least,
                    255 * root[1] + least,
                    255 * np.sqrt(np.square(sharp - blurred)[inner].mean()) + least,
                ]
            ),
            1.0,
        ]
    )


def _busiest(pixels: Pixels) -> Pixels:
    """The part with the most edges, at most `LOOKED_AT` a side."""
    height, width = pixels.shape[:2]
    small = _luma(to_float(pixels[::4, ::4]))
    energy = cv2.blur(
        np.abs(np.gradient(small, axis=0)) + np.abs(np.gradient(small, axis=1)), (LOOKED_AT // 4,) * 2
    )
    row, column = np.unravel_index(int(energy.argmax()), energy.shape)
    top = int(np.clip(4 * row - LOOKED_AT // 2, 0, max(0, height - LOOKED_AT)))
    left = int(np.clip(4 * column - LOOKED_AT // 2, 0, max(0, width - LOOKED_AT)))
    return pixels[top : top + LOOKED_AT, left : left + LOOKED_AT]


def _luma(x: Plane) -> Luma:
    return np.ascontiguousarray(x @ LUMA.astype(np.float32) if x.shape[2] == 3 else x[..., 0])
