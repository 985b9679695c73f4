"""Undoing a blur whose kernel the picture itself tells, with a denoiser's idea of what pictures look like.

Half-quadratic splitting: a least-squares step towards a picture that explains the blurred one, then a
denoising step, in turn, the noise that is told to the denoiser falling each time (Zhang et al.,
"Plug-and-Play Image Restoration with Deep Denoiser Prior", TPAMI 2021, equations 6 and 7).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
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
"""(H, W, C) float32 in [0, 1] and the standard deviation of its noise, 0..255 -> the same without noise."""

SIGMAS = tuple(float(sigma) for sigma in np.geomspace(49, 20, 5))
"""Told to the denoiser, one step each.  They end at much more than a picture's own noise: a kernel that was
found is never quite the true one, and what it gets wrong comes out as stripes that pass for noise."""
FIDELITY = 0.23
"""Weight of the denoiser against the least squares, as in the paper."""
DETAIL_SIGMA = 4.0
"""Pixels; finer than that is detail."""
LOOKED_AT = 512
"""Side in pixels of the part in which the kernel is looked for."""
LEAST_SIDE = 96
"""Of a picture that can be judged."""
LEAST_CONTRAST = 2.0
"""Standard deviation of luma in levels; less tells nothing."""
BAND, OVERLAP = 512, 64
"""Rows that are restored at once, and how many more they see above and below."""
# Weights in the order of `fit_features`, by `benchmarks/fit_kernels.py`.  The product is the gain in dB.
_GAIN = (-1.807, -1.298, 1.365, 8.969, -3.295, -0.423, -10.498)
LEAST_GAIN = 1.0
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
    if min(pixels.shape[:2]) < LEAST_SIDE:
        return None
    part = to_float(_busiest(pixels))
    luma = _luma(part)
    if 255 * luma.std() < LEAST_CONTRAST:
        return None
    kernels = [estimate_kernel(luma, search) for search in SEARCHES]
    sharp = [deconvolved(part, kernel, denoise) for kernel in kernels]
    gains = fit_features(luma, [_luma(x) for x in sharp], kernels) @ _GAIN
    best = int(gains.argmax())
    given, result = (x.transpose(2, 0, 1)[None] for x in (part, sharp[best]))
    if gains[best] < LEAST_GAIN or not is_sound(given, result):
        return None
    return FoundKernel(kernels[best], float(gains[best]))


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


def fit_features(blurred: Luma, sharp: Sequence[Luma], kernels: Sequence[Kernel]) -> NDArray[np.float64]:
    """(N, 7) what tells how well each of N kernels fits, from luma without the blur and with it.

    Searches that go wrong do so each in its own way, so that a result that another search confirms is the
    best sign: the distance of the results, to the median and to the nearest other, against the change; the
    nearest distance itself; the median correlation of the kernels; then the correlation of the change with
    the picture's detail, and how far the result, blurred again, is from the picture.  Logarithms but for the
    correlations; last a 1.
    """
    detail = blurred - cv2.GaussianBlur(blurred, (0, 0), DETAIL_SIGMA)
    rows = []
    for own, kernel in zip(sharp, kernels, strict=True):
        others = [other for other in sharp if other is not own]
        distances = [_rms(own - other) for other in others]
        change = own - blurred
        alike = [_correlation(kernel, other) for other in kernels if other is not kernel]
        again = cv2.filter2D(own, -1, kernel[::-1, ::-1], borderType=cv2.BORDER_REFLECT)
        margin = len(kernel) // 2
        rows.append(
            [
                np.log(np.median(distances) / _rms(change)),
                np.log(min(distances) / _rms(change)),
                np.log(min(distances)),
                np.median(alike),
                255**2 * (detail * change).mean() / (_rms(detail) * _rms(change)),
                np.log(_rms((again - blurred)[margin:-margin, margin:-margin])),
                1.0,
            ]
        )
    return np.array(rows)


def _rms(x: NDArray[np.floating]) -> float:
    """On the 0..255 scale; never 0."""
    return float(255 * np.sqrt(np.square(x).mean()) + 1e-3)


def _correlation(a: Kernel, b: Kernel) -> float:
    """Of two kernels, wherever they match best: 1 if they are the same but for their place."""
    side = cv2.getOptimalDFTSize(len(a) + len(b))
    products = np.fft.rfft2(a, s=(side, side)) * np.conj(np.fft.rfft2(b, s=(side, side)))
    matches = np.fft.irfft2(products, s=(side, side))
    return float(matches.max() / np.sqrt(np.square(a).sum() * np.square(b).sum()))


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
