"""How strong the white noise in a picture is."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

_SIDE = 7
_PATCHES = 30_000
_ROUNDS = 8
# How many standard deviations above the mean roughness of pure noise a patch still passes as flat.
_TAIL = 2.5
# Share of black and white pixels from which on a patch tells too little about the noise.
_CUT = 0.1


def estimate_sigma(pixels: NDArray[np.floating]) -> float:
    """Standard deviation of white Gaussian noise in (H, W, C) pixels of 0..1, on the scale 0..255.

    Patches that are no rougher than the noise alone would make them are kept (Liu, Tanaka, Okutomi,
    IEEE TIP 2013), and the noise is read from the eigenvalues of their covariance (Chen, Zhu, Heng, ICCV
    2015), in turns until both agree. 0 for pictures too small for a patch.
    """
    side = min(_SIDE, *(length // 2 for length in pixels.shape[:2]))
    if side < 2:
        return 0.0
    patches = _sampled(pixels, side)
    roughness = _roughness(patches)
    mean, spread = _roughness_of_noise(side, pixels.shape[2])
    variance = _noise_variance(patches)
    for _ in range(_ROUNDS):
        flat = patches[roughness <= variance * (mean + _TAIL * spread)]
        if len(flat) < 4 * patches[0].size:
            break
        before, variance = variance, _noise_variance(flat)
        if abs(variance - before) <= 0.01 * before:
            break
    return 255 * float(np.sqrt(variance))


def _sampled(pixels: NDArray[np.floating], side: int) -> NDArray[np.float64]:
    """Up to about `_PATCHES` overlapping patches, evenly spread: (N, C, side, side)."""
    windows = np.lib.stride_tricks.sliding_window_view(pixels, (side, side), axis=(0, 1))
    every = math.ceil(np.sqrt(windows.shape[0] * windows.shape[1] / _PATCHES))
    chosen = windows[::every, ::every]
    patches = chosen.reshape(-1, *chosen.shape[2:]).astype(np.float64)
    # At black and white the noise has been cut off, so that such patches would make it look weaker.
    cut = ((patches <= 0) | (patches >= 1)).mean(axis=(1, 2, 3))
    whole = patches[cut <= _CUT]
    return whole if len(whole) >= 4 * patches[0].size else patches


def _roughness(patches: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum of the squared differences between neighbours, per patch: (N,)."""
    across, down = np.diff(patches, axis=-1), np.diff(patches, axis=-2)
    return np.asarray(np.square(across).sum(axis=(1, 2, 3)) + np.square(down).sum(axis=(1, 2, 3)))


def _roughness_of_noise(side: int, channels: int) -> tuple[float, float]:
    """Mean and standard deviation of the roughness of white noise of variance 1."""
    basis = np.eye(side * side).reshape(-1, side, side)
    across, down = np.diff(basis, axis=2), np.diff(basis, axis=1)
    steps = np.concatenate([across.reshape(len(basis), -1), down.reshape(len(basis), -1)], axis=1)
    form = steps @ steps.T
    # A quadratic form x'Ax of white x has mean tr A and variance 2 tr A².
    return channels * float(np.trace(form)), float(np.sqrt(2 * channels * np.sum(form * form)))


def _noise_variance(patches: NDArray[np.float64]) -> float:
    """Mean of the smaller eigenvalues: the most of them that still lie evenly about their mean."""
    values = np.linalg.eigvalsh(np.cov(patches.reshape(len(patches), -1), rowvar=False))
    counts = np.arange(1, len(values))
    means = np.cumsum(values)[:-1] / counts
    medians = (values[(counts - 1) // 2] + values[counts // 2]) / 2
    even = np.flatnonzero(means <= medians)
    return max(0.0, float(means[even[-1]]))
