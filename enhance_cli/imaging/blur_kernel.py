"""The kernel of a blur that is the same all over a picture, found from the picture alone.

Coarse to fine, two steps in turn: the sharp picture is guessed as one with few gradients (an L0 prior, which
keeps the strong edges and flattens the rest), and the kernel follows from the gradients of both by least
squares: Xu, Zheng and Jia, "Unnatural L0 Sparse Representation for Natural Image Deblurring" (CVPR 2013).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Luma = NDArray[np.float32]
"""(H, W), nominal range [0, 1]."""
Kernel = NDArray[np.float32]
"""(k, k), k odd; not negative, sums to 1, its centre of mass in the middle."""

SIZE = 31
"""Pixels of a kernel's side: the longest blur that is looked for."""
COARSEST = 5
"""Side of the kernel where the search begins."""
N_ROUNDS = 5
"""Of the two steps at each size."""
LARGEST_PENALTY = 1e5
"""Where splitting the gradients from the picture ends; the penalty doubles until then."""
LEAST_WEIGHT = 1e-4
KERNEL_WEIGHT = 2.0
"""Of the kernel's own squares in the least squares."""
FAINTEST, SMALLEST_PIECE = 0.05, 0.1
"""Share of a kernel's peak below which it is cut off; share of the whole that a separate piece must have."""


@dataclass(frozen=True)
class Search:
    """How a kernel is looked for."""

    weight: float
    """Of the number of gradients, to begin with; it falls as the kernel gets better."""
    step: float = 0.5**0.5
    """From one size to the next smaller one."""
    size: int = SIZE


SEARCHES = (Search(0.016), Search(0.008), Search(0.008, step=0.8), Search(0.008, size=21))
"""No single one finds all kernels; `engine.deconvolution` takes the one whose result fits best."""


def estimate_kernel(luma: Luma, search: Search) -> Kernel:
    """The kernel by which a sharp picture became `luma`, if the blur is the same all over it.

    A few hundred pixels of a side with edges in several directions are enough.  For 400x400 a search takes
    about a second and a half.
    """
    n_sizes = max(int(np.log(COARSEST / search.size) / np.log(search.step)), 0)
    factors = [search.step**number for number in range(n_sizes, -1, -1)]
    kernel: NDArray[np.float64] | None = None
    weight = search.weight
    for factor in factors:
        side = max(COARSEST, round(search.size * factor) | 1)
        small = (
            luma
            if factor == 1
            else cv2.resize(luma, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        )
        if kernel is None:
            kernel = np.zeros((side, side))
            kernel[side // 2, side // 2 - 1 : side // 2 + 1] = 0.5
            # A movement along the rows has left the smaller differences along them.
            across, down = (float(np.abs(np.diff(small, axis=axis)).mean()) for axis in (1, 0))
            kernel = kernel.T.copy() if across > down else kernel
        else:
            kernel = np.asarray(cv2.resize(kernel, (side, side), interpolation=cv2.INTER_CUBIC), np.float64)
            kernel[kernel < 0.02 * kernel.max()] = 0
            kernel /= kernel.sum()
        blurred = wrapped(np.asarray(small, np.float32), side)
        for _ in range(N_ROUNDS):
            kernel = _tidy(_least_squares(_few_gradients(blurred, kernel, weight), blurred, side))
            weight = max(weight / 1.1, LEAST_WEIGHT)
    assert kernel is not None
    middle = np.arange(search.size) - search.size // 2
    offset = -float(kernel.sum(0) @ middle), -float(kernel.sum(1) @ middle)
    matrix = np.array([[1, 0, offset[0]], [0, 1, offset[1]]])
    moved = cv2.warpAffine(kernel, matrix, kernel.shape, flags=cv2.INTER_LINEAR)
    return np.asarray(moved / moved.sum(), np.float32)


def spectrum(kernel: NDArray[np.floating], shape: tuple[int, int]) -> NDArray[np.complexfloating]:
    """Of a kernel whose middle is the origin, for pictures of that shape."""
    side = len(kernel)
    padded = np.zeros(shape, np.float32)
    padded[:side, :side] = kernel
    return np.asarray(np.fft.rfft2(np.roll(padded, (-(side // 2), -(side // 2)), (0, 1))))


def wrapped(x: NDArray[np.float32], margin: int) -> NDArray[np.float32]:
    """(H, W) and behind it at least 2 `margin` more rows and columns, which lead smoothly from one border to
    the opposite one, so that Fourier transforms see no edge there."""
    for axis in (0, 1):
        n = x.shape[axis]
        more = cv2.getOptimalDFTSize(n + 2 * margin) - n
        near = np.minimum(np.arange(more), n - 1)
        share = (np.arange(1, more + 1) / (more + 1)).astype(np.float32)
        share = np.expand_dims(share * share * (3 - 2 * share), 1 - axis)
        between = x.take(n - 1 - near, axis) * (1 - share) + x.take(near[::-1], axis) * share
        x = np.concatenate([x, between], axis)
    return x


def _few_gradients(blurred: Luma, kernel: NDArray[np.float64], weight: float) -> Luma:
    """The picture with few gradients that, blurred by `kernel`, is about `blurred`.

    By half-quadratic splitting: gradients of their own, tied to the picture's ever more closely.
    """
    height, width = blurred.shape
    transfer = spectrum(kernel, blurred.shape)
    given, power = np.conj(transfer) * np.fft.rfft2(blurred), np.abs(transfer) ** 2
    rows, columns = np.arange(height)[:, None] / height, np.arange(width // 2 + 1) / width
    smoothness = (4 - 2 * np.cos(2 * np.pi * rows) - 2 * np.cos(2 * np.pi * columns)).astype(np.float32)
    x, penalty = blurred, 2 * weight
    while penalty < LARGEST_PENALTY:
        across, down = _gradients(x)
        weak = across**2 + down**2 < weight / penalty
        across[weak] = down[weak] = 0
        divergence = np.roll(across, 1, 1) - across + np.roll(down, 1, 0) - down
        numerator = given + penalty * np.fft.rfft2(divergence)
        x = np.fft.irfft2(numerator / (power + penalty * smoothness), s=blurred.shape).astype(np.float32)
        penalty *= 2
    return x


def _least_squares(sharp: Luma, blurred: Luma, side: int) -> NDArray[np.float64]:
    """The (side, side) kernel for which the gradients of `sharp` come nearest to those of `blurred`.

    By conjugate gradients; the matrix is a convolution with the autocorrelation of the gradients.
    """
    ours = [np.fft.rfft2(part) for part in _gradients(sharp)]
    theirs = [np.fft.rfft2(part) for part in _gradients(blurred)]
    products = sum(np.conj(a) * b for a, b in zip(ours, theirs, strict=True))
    reach = side // 2
    target = np.roll(np.fft.irfft2(products, s=sharp.shape), (reach, reach), (0, 1))[:side, :side].astype(
        np.float64
    )
    correlation = np.fft.irfft2(sum(np.abs(part) ** 2 for part in ours), s=sharp.shape)
    correlation = np.roll(correlation, (side - 1, side - 1), (0, 1))[: 2 * side - 1, : 2 * side - 1]
    n = cv2.getOptimalDFTSize(3 * side - 2)
    transfer = np.fft.rfft2(correlation, s=(n, n))
    inner = slice(side - 1, 2 * side - 1)

    def applied(v: NDArray[np.float64]) -> NDArray[np.float64]:
        product = np.fft.irfft2(transfer * np.fft.rfft2(v, s=(n, n)), s=(n, n))
        return np.asarray(product[inner, inner] + KERNEL_WEIGHT * v)

    kernel = np.full((side, side), 1 / side**2)
    rest = target - applied(kernel)
    direction, size = rest, float((rest**2).sum())
    for _ in range(20):
        if size < 1e-12:
            break
        image = applied(direction)
        length = size / float((direction * image).sum())
        kernel, rest = kernel + length * direction, rest - length * image
        before, size = size, float((rest**2).sum())
        direction = rest + size / before * direction
    return kernel


def _tidy(kernel: NDArray[np.float64]) -> NDArray[np.float64]:
    """Without what is faint and small pieces apart; moved by whole pixels to the middle; sums to 1."""
    kernel = np.where(kernel < FAINTEST * kernel.max(), 0, kernel)
    if kernel.sum() <= 0:
        kernel = np.zeros_like(kernel)
        kernel[len(kernel) // 2, len(kernel) // 2] = 1
    kernel /= kernel.sum()
    n_pieces, pieces = cv2.connectedComponents((kernel > 0).astype(np.uint8), connectivity=8)
    for piece in range(1, n_pieces):
        if kernel[pieces == piece].sum() < SMALLEST_PIECE:
            kernel[pieces == piece] = 0
    if kernel.sum() <= 0:
        return _tidy(kernel)
    kernel /= kernel.sum()
    offsets = np.arange(len(kernel)) - len(kernel) // 2
    shift = -round(float(kernel.sum(1) @ offsets)), -round(float(kernel.sum(0) @ offsets))
    return np.asarray(np.roll(kernel, shift, (0, 1)))


def _gradients(x: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Differences to the next column and to the next row, of a picture that repeats itself."""
    return np.roll(x, -1, 1) - x, np.roll(x, -1, 0) - x
