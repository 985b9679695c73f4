"""Noise in a picture: whether there is any, white or left by a camera, and how strong."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from enhance_cli.imaging.noise_evidence import evidence
from enhance_cli.imaging.picture import Pixels
from enhance_cli.imaging.survey import LUMA, blocks, cosines, halved, surveyed

NoiseKind = Literal["none", "white", "camera"]

LEAST_WHITE = 3.0
"""Sigma below which white noise is what good pictures have anyway: grain, rounding."""
FLAT = 1.35
"""How much stronger than the finest noise the coarser may be, for it to count as white."""
FLAT_GRAY = 1.7
"""Likewise for gray pictures, where texture is more in the way and camera noise is smoother."""
_TILE, _SIDE, _SCALES = 64, 8, 3
_DCT = cosines(_SIDE)
_ORDER = np.add.outer(np.arange(_SIDE), np.arange(_SIDE)).ravel()
_LOW, _MIDDLE, _HIGH = (_ORDER >= 1) & (_ORDER <= 3), (_ORDER >= 4) & (_ORDER <= 8), _ORDER >= 9
# Luma and two chroma directions at right angles; white noise is equally strong in both of these.
_PLANES = np.stack([LUMA, np.array([1, 0, -1]) / math.sqrt(2), np.array([1, -2, 1]) / math.sqrt(6)]).astype(
    np.float32
)
# Share of blocks taken for flat, and at least how many.
_FLATTEST, _MIN_BLOCKS = 0.1, 8
_ROUNDS = 8
# Blocks whose noise is cut off by more than this, as a share of its variance left, tell nothing reliable.
_LEAST_LEFT = 0.5
# Chroma noise below this share of the luma's was thinned out by subsampling, or was never there.
_THINNED = 0.5
# How much more power texture has at middle frequencies than at high ones, at the least.
_TEXTURE = 3.5
# Evidence from which on camera noise is believed (19 of 20 clean training pictures lie below), and how strong
# it must be to be seen.
_CAMERA, _LEAST_CAMERA = 1.2, 1.0
_BINS = 8


@dataclass(frozen=True)
class NoiseEstimate:
    """What noise was found; standard deviations are on the scale 0..255."""

    kind: NoiseKind
    """"white": equally strong at all frequencies. "camera": smoothed by demosaicing, filters or JPEG."""
    sigma: float
    """White noise: standard deviation in each channel. Camera noise: luma's, the median of `curve`."""
    luma: tuple[float, ...]
    """Luma's standard deviation in flat places at full, half and quarter size, as far as the picture allows.

    Sizes are halved by means of 2x2, so white noise falls by half; camera noise does not."""
    chroma: tuple[float, ...]
    """Likewise the mean of two chroma directions of unit length; empty for gray pictures."""
    curve: tuple[tuple[float, float], ...]
    """(brightness, standard deviation) of luma in flat places, for up to eight ranges of 0..255."""
    correlation: float
    """0 for white noise, towards 1 the more of the finest noise is missing beside the coarser."""
    evidence: float | None
    """Log-odds that blocks of the picture hold noise, from their spectra; None for too few blocks."""


@dataclass(frozen=True)
class _Blocks:
    """What 8x8 blocks of one scale hold."""

    channels: NDArray[np.float32]
    """(C, M) means."""
    low: NDArray[np.float32]
    """(P, M) mean squares of DCT coefficients, of C planes, P = C; likewise those below."""
    middle: NDArray[np.float32]
    high: NDArray[np.float32]
    varied: NDArray[np.bool_]
    """(M,) False for blocks of one colour, which hold no noise and tell nothing about it."""

    def only(self, chosen: NDArray[np.bool_]) -> _Blocks:
        """Some of the blocks."""
        channels, low, middle, high = (
            band[:, chosen] for band in (self.channels, self.low, self.middle, self.high)
        )
        return _Blocks(channels, low, middle, high, self.varied[chosen])


def estimate_noise(pixels: Pixels) -> NoiseEstimate:
    """The noise in (H, W, C) pixels, C = 1 or 3, from at most a megapixel of them.

    In the flattest blocks, chosen by their low frequencies, the high frequencies are noise (after Ponomarenko
    et al., "An automatic approach to lossy compression of AVIRIS images", IGARSS 2007); colour tells more
    than luma, since textures have little of it.  Noise that is equally strong at all frequencies is white.
    Whether anything else is noise or texture, `noise_evidence` decides.
    """
    tiles = surveyed(pixels, _TILE, _SIDE)
    scales = _scales(tiles)
    if not _telling(scales):
        return NoiseEstimate("none", 0.0, (), (), (), 0.0, None)
    step = 255 / np.iinfo(pixels.dtype).max
    sigma, spread = _white(scales, clipped=True, step=step)
    found = evidence(tiles)
    levels = np.stack([_floors(scale, sigma, clipped=True)[1] for scale in scales])
    curve = []
    first = scales[0]
    luma = first.channels[0] if len(first.channels) == 1 else LUMA @ first.channels
    which = np.minimum((luma * (_BINS / 256)).astype(int), _BINS - 1)
    for number in range(_BINS):
        inside = (which == number) & first.varied
        if inside.sum() >= 2 * _MIN_BLOCKS:
            level = float(_floors(first.only(inside), sigma, clipped=True)[1][0])
            curve.append((float(np.mean(luma[inside])), level))
    middle = float(np.median([level for _, level in curve])) if curve else 0.0
    kind: NoiseKind = (
        "camera" if found is not None and found > _CAMERA and middle >= _LEAST_CAMERA else "none"
    )
    if sigma >= LEAST_WHITE and spread <= (FLAT_GRAY if tiles.shape[3] == 1 else FLAT):
        kind = "white"
    return NoiseEstimate(
        kind,
        {"none": 0.0, "white": sigma, "camera": middle}[kind],
        tuple(float(level) for level in levels[:, 0]),
        tuple(float(level) for level in levels[:, 1:].mean(1)) if levels.shape[1] > 1 else (),
        tuple(curve),
        max(0.0, 1 - 1 / spread) if spread > 0 else 0.0,
        found,
    )


def estimate_sigma(pixels: NDArray[np.floating]) -> float:
    """Standard deviation of white noise in (H, W, C) pixels of 0..1, on the scale 0..255; 0 for none.

    Values beyond 0 and 1 show that the noise was not cut off there.
    """
    scales = _scales(surveyed(pixels, _TILE, _SIDE))
    if not _telling(scales):
        return 0.0
    clipped = bool(pixels.min() >= 0 and pixels.max() <= 1)
    return _white(scales, clipped=clipped, step=0.0)[0]


def _scales(tiles: NDArray[np.float32]) -> list[_Blocks]:
    """Full, half and quarter size, as far as a tile holds a block there."""
    channels = np.moveaxis(tiles, 3, 0)
    found: list[_Blocks] = []
    while len(found) < _SCALES and channels.shape[1] and channels.shape[2] >= _SIDE:
        own = blocks(channels, _SIDE)
        planes = np.tensordot(_PLANES, own, 1) if len(own) == 3 else own
        energy = np.square(_DCT @ planes @ _DCT.T).reshape(*own.shape[:2], -1)
        low, middle, high = (energy[..., band].mean(2) for band in (_LOW, _MIDDLE, _HIGH))
        varied = energy[..., 1:].sum((0, 2)) > 1e-3
        found.append(_Blocks(own.mean((2, 3)), low, middle, high, varied))
        channels = halved(channels)
    return found


def _telling(scales: list[_Blocks]) -> bool:
    """Whether enough blocks can show noise; a picture that is mostly blocks of one colour is a drawing."""
    return bool(scales) and scales[0].varied.sum() >= max(_MIN_BLOCKS, scales[0].varied.size / 2 + 1)


def _white(scales: list[_Blocks], *, clipped: bool, step: float) -> tuple[float, float]:
    """Sigma of the white noise, and how much stronger lower frequencies are (1 for pure white noise).

    Texture grows towards lower frequencies and white noise does not, so the part of luma that grows is
    subtracted as texture, of which chroma holds little.  `step` is that of the levels that the pixels were
    rounded to.
    """
    full = scales[0]
    # Standard deviation in each plane of white noise of 1 in each channel.
    gains = np.sqrt(np.square(_PLANES.astype(np.float64)).sum(1)) if len(full.high) == 3 else np.ones(1)
    sigma = math.sqrt(float(np.median(full.high[:, full.varied].mean(0))))
    for _ in range(_ROUNDS):
        before = sigma
        high, _, middle = (floors / gains for floors in _floors(full, sigma, clipped=clipped))
        spread = np.maximum(middle, 1e-6) / np.maximum(high, 1e-6)
        power = np.square(high) - step**2 / 12
        thinned = (
            len(high) == 3 and high[1:].min() < _THINNED * high[0] and spread[1:].max() > FLAT >= spread[0]
        )
        used = [1, 2] if len(high) == 3 and not thinned else [0]
        if used == [0]:
            power = power - np.maximum(np.square(middle) - np.square(high), 0) / (_TEXTURE - 1)
        sigma = math.sqrt(max(0.0, float(power[used].min())))
        if abs(sigma - before) <= 0.002 * before:
            break
    if sigma <= 0:
        return 0.0, float(spread[used].max())
    if len(scales) > 1:
        halves = 2 * _floors(scales[1], sigma, clipped=clipped)[0] / gains
        spread = np.maximum(spread, halves / np.maximum(high, 1e-6))
    if thinned and 4 * _floors(scales[-1], sigma, clipped=clipped)[0][1:].min() < _THINNED * high[0]:
        # No colour even in the coarse: the noise is gray, equal in all channels.
        sigma *= float(gains[0])
    # Demosaiced noise is stronger in colour than in luma.
    return sigma, float(max(spread[used].max(), high[used].max() / max(high[0], 1e-6)))


def _floors(
    found: _Blocks, sigma: float, *, clipped: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Per plane, the standard deviation that a coefficient has in the flattest blocks: high, total, middle.

    Noise of `sigma` that was cut off at black and white is brought back to what it was.
    """
    left = _left(found.channels, sigma) if clipped and sigma > 0 else np.ones_like(found.channels)
    weight = np.square(_PLANES) if len(left) == 3 else np.ones((1, 1))
    left_in_plane = (weight / weight.sum(1, keepdims=True)) @ left
    whole = np.flatnonzero(found.varied & (left.min(0) >= _LEAST_LEFT))
    if len(whole) < _MIN_BLOCKS:
        whole = np.argsort(np.where(found.varied, left.min(0), -1))[-_MIN_BLOCKS:]
    low, middle, high = (
        band[:, whole] / left_in_plane[:, whole] for band in (found.low, found.middle, found.high)
    )
    order = np.argsort(low.sum(0))[: max(_MIN_BLOCKS, int(_FLATTEST * len(whole)))]
    counts = np.array([_LOW.sum(), _MIDDLE.sum(), _HIGH.sum()])
    # Median of the mean of so many squared normal numbers (Wilson and Hilferty).
    usual = (1 - 2 / (9 * counts)) ** 3
    bands = zip((low, middle, high), usual, strict=True)
    floors = [np.sqrt(np.median(band[:, order], axis=1) / median) for band, median in bands]
    total = np.sqrt((counts[:, None] * np.square(floors)).sum(0) / counts.sum())
    return floors[2], total, floors[1]


def _left(means: NDArray[np.float32], sigma: float) -> NDArray[np.float64]:
    """The share of its variance left to noise of `sigma` cut off at 0 and 255, by the mean then seen."""
    true = np.linspace(-3 * sigma, 255 + 3 * sigma, 512)
    a, b = -true / sigma, (255 - true) / sigma
    below, above = (np.array([0.5 * math.erfc(x / math.sqrt(2)) for x in side]) for side in (-a, b))
    inside = 1 - below - above
    density_a, density_b = (np.exp(-0.5 * x * x) / math.sqrt(2 * math.pi) for x in (a, b))
    seen = 255 * above + true * inside + sigma * (density_a - density_b)
    square = (
        255**2 * above
        + (true**2 + sigma**2) * inside
        + 2 * true * sigma * (density_a - density_b)
        + sigma**2 * (a * density_a - b * density_b)
    )
    return np.asarray(np.interp(means, seen, (square - seen**2) / sigma**2), np.float64)
