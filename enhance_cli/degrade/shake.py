"""Blur by a hand-held camera: random walks with inertia, tremor, pauses and turns; and pictures out of focus.

The camera's path is a random walk whose velocity has inertia and is jolted now and then, after Boracchi and
Foi ("Modeling the performance of image restoration from motion blur", IEEE TIP 2012); the exposure gathers
light along it, so that a kernel is the time spent at each point.  A turn about the camera's axis makes the
blur differ over the picture: the mean of the picture moved and turned along the path.  Light adds up before
the tone curve, highlights are cut off where the sensor is full, and noise, rounding and JPEG come last.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from enhance_cli.degrade.jpeg import compress_batch

KERNEL_SIZE = 33
"""Pixels of a kernel's side. With patches of 160 the transforms are of 192, which they are quick at."""
MARGIN = KERNEL_SIZE // 2
LONGEST = 31.0
"""Pixels between the ends of a path's bounding box, at most."""
N_STEPS = 256
N_TURNS, MOST_TURN = 32, 0.08
"""Pictures of which the mean is taken where the camera turns, and how far it does, in radians."""
GAMMA = 2.2


@dataclass(frozen=True)
class Shake:
    """How likely each fate is."""

    sharp: float = 0.1
    defocused: float = 0.12
    linear: float = 0.25
    """Share blurred in linear light; the others in the values of the file, as the published test sets are."""
    noisy: float = 0.35
    jpeg: float = 0.12
    quality: tuple[int, int] = (75, 98)
    turning: float = 0.08
    """Share of batches whose blur differs over the picture, since the camera turns about its axis."""


USUAL = Shake()


def camera_path(rng: np.random.Generator, length: float) -> NDArray[np.float64]:
    """(2, N_STEPS) rows and columns in pixels, of mean 0, the larger side of their bounding box `length`.

    Velocity keeps its direction by inertia, is pulled back by the hand, trembles, pauses, and is jolted to
    another direction now and then; how much of each is drawn for every path, from a nearly straight line to a
    scribble.
    """
    # From one gentle bow in an exposure to a scribble of twenty turns.
    inertia = 1 - 10 ** rng.uniform(-2.9, -1.1)
    pull = rng.choice([0.0, rng.uniform(0, 0.002)])
    tremor = rng.choice([0.0, rng.uniform(0.0, 0.08)])
    jolts = rng.random(N_STEPS) < rng.choice([0.0, rng.uniform(0, 0.015)])
    drift = np.exp(2j * np.pi * rng.random()) * rng.choice([0.0, rng.uniform(0, 0.3)])
    # Time runs evenly along the path but for pauses, where the camera rests.
    pace = np.ones(N_STEPS)
    for _ in range(rng.integers(0, 4)):
        start, span = rng.integers(N_STEPS), rng.integers(8, 64)
        pace[start : start + span] = rng.uniform(0, 0.4)
    position, velocity = 0j, np.exp(2j * np.pi * rng.random())
    path = np.empty(N_STEPS, complex)
    kicks = rng.standard_normal(N_STEPS) + 1j * rng.standard_normal(N_STEPS)
    for step in range(N_STEPS):
        path[step] = position
        if jolts[step]:
            velocity = 2 * abs(velocity) * np.exp(2j * np.pi * rng.random())
        # Kicks keep the speed about 1 whatever the inertia is.
        kick = np.sqrt(1 - inertia**2) * kicks[step]
        velocity = inertia * velocity + kick - pull * position + (1 - inertia) * drift
        position += pace[step] * (velocity + tremor * kicks[-step])
    points = np.stack([path.imag, path.real])
    extent = max(np.ptp(points, axis=1).max(), 1e-9)
    points *= length / extent
    return points - points.mean(axis=1, keepdims=True)


def shake_kernel(seed: int, *, longest: float = LONGEST) -> NDArray[np.float32]:
    """(KERNEL_SIZE, KERNEL_SIZE) kernel of a shaking camera, which sums to 1; its centre of mass is the
    middle.

    Most paths are short: lengths are from 1 to `longest` pixels, the fourth root of them drawn evenly.
    """
    rng = np.random.default_rng(seed)
    length = rng.uniform(1, longest**0.25) ** 4
    return kernel_of(camera_path(rng, length))


def kernel_of(path: NDArray[np.float64]) -> NDArray[np.float32]:
    """The time spent at each pixel along a path (2, N) about the middle, spread over four pixels each."""
    middle = KERNEL_SIZE // 2
    spots = np.clip(path, -middle + 0.01, middle - 0.01) + middle
    corner = np.floor(spots).astype(int)
    fraction = spots - corner
    kernel = np.zeros((KERNEL_SIZE, KERNEL_SIZE))
    for dy in (0, 1):
        for dx in (0, 1):
            weight = np.abs(1 - dy - fraction[0]) * np.abs(1 - dx - fraction[1])
            np.add.at(kernel, (corner[0] + dy, corner[1] + dx), weight)
    return (kernel / kernel.sum()).astype(np.float32)


def focus_kernel(seed: int) -> NDArray[np.float32]:
    """A lens out of focus: a disc of radius 0.7 to 5 pixels, or a Gaussian of 0.5 to 3; sums to 1."""
    rng = np.random.default_rng(seed)
    offsets = np.arange(KERNEL_SIZE) - KERNEL_SIZE // 2
    distance = np.hypot(offsets[:, None], offsets[None])
    if rng.random() < 0.5:
        # The rim takes the share of a pixel that it covers.
        kernel = np.clip(rng.uniform(0.7, 5) + 0.5 - distance, 0, 1)
    else:
        kernel = np.exp(-0.5 * (distance / rng.uniform(0.5, 3)) ** 2)
    return (kernel / kernel.sum()).astype(np.float32)


class ShakenPictures:
    """Draws blurred pictures in batches, from a stock of kernels made once from `seeds`."""

    def __init__(self, seeds: range, how: Shake = USUAL) -> None:
        self.how = how
        rng = np.random.default_rng((seeds.start, seeds.stop))
        self.turns = []
        """(3, N_TURNS) each: rows, columns and angle in radians along one exposure, of mean 0."""
        for _ in seeds[: len(seeds) // 8 + 1]:
            path = camera_path(rng, rng.uniform(1, LONGEST / 2))[:, :: N_STEPS // N_TURNS]
            angles = camera_path(rng, rng.uniform(0, MOST_TURN))[:1, :: N_STEPS // N_TURNS]
            motion = np.concatenate([path, angles])
            self.turns.append(torch.from_numpy(motion - motion.mean(axis=1, keepdims=True)).float())
        n_focus = round(how.defocused / (1 - how.sharp) * len(seeds))
        kernels = [focus_kernel(seed) for seed in seeds[:n_focus]]
        kernels += [shake_kernel(seed) for seed in seeds[n_focus:]]
        self.kernels = torch.from_numpy(np.stack(kernels))

    def __call__(self, x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Blurred and sharp pictures of clean crops (N, C, s, s) on whole levels 0..255, s = side + 2 MARGIN.

        Both (N, C, side, side) on whole levels; side a multiple of 16.
        """
        n, device = len(x), x.device

        def uniform(low: float, high: float) -> Tensor:
            return low + (high - low) * torch.rand(n, 1, 1, 1, generator=generator, device=device)

        self.kernels = self.kernels.to(device)
        chosen = self.kernels[torch.randint(len(self.kernels), (n,), generator=generator, device=device)]
        clean = x[..., MARGIN:-MARGIN, MARGIN:-MARGIN]
        power = torch.where(uniform(0, 1) < self.how.linear, GAMMA, 1.0)
        # Lamps and reflections are brighter than white, and their trails stay white.
        glare = 1 + uniform(0, 1.5) * (uniform(0, 1) < 0.3) * ((x - 245).clamp_min(0) / 10)
        light = (x / 255) ** power * glare
        if torch.rand((), generator=generator, device=device) < self.how.turning:
            picked = torch.randint(len(self.turns), (n,), generator=generator, device=device).tolist()
            spread = turned(light, torch.stack([self.turns[index] for index in picked]).to(device))
            light = spread[..., MARGIN:-MARGIN, MARGIN:-MARGIN]
        else:
            light = convolved(light, chosen)
        blurred = light.clamp(0, 1) ** (1 / power) * 255
        # Photons and electronics, seen after the tone curve; weak, since long exposures are for low ISO.
        strength = 4 * uniform(0, 1) ** 2 * (uniform(0, 1) < self.how.noisy)
        noise = torch.randn(blurred.shape, generator=generator, device=device)
        blurred = (blurred + strength * noise).round().clamp(0, 255)
        low, high = self.how.quality
        quality = torch.randint(low, high + 1, (n,), generator=generator, device=device)
        subsample = bool(torch.rand((), generator=generator, device=device) < 0.7)
        coded = compress_batch(blurred, quality, subsample=subsample)
        blurred = torch.where(uniform(0, 1) < self.how.jpeg, coded, blurred)
        return torch.where(uniform(0, 1) < self.how.sharp, clean, blurred), clean


def turned(x: Tensor, motions: Tensor) -> Tensor:
    """The mean of pictures (N, C, S, S) moved and turned about their middle along `motions` (N, 3, steps).

    A motion is rows and columns in pixels and an angle in radians. Beyond the border pictures are mirrored.
    """
    total = torch.zeros_like(x)
    for rows, columns, angles in motions.permute(2, 1, 0):
        cosine, sine = angles.cos(), angles.sin()
        shifts = columns * 2 / x.shape[-1], rows * 2 / x.shape[-1]
        matrix = torch.stack([cosine, -sine, shifts[0], sine, cosine, shifts[1]], 1).view(-1, 2, 3)
        grid = F.affine_grid(matrix, list(x.shape), align_corners=False)
        total += F.grid_sample(x, grid, padding_mode="reflection", align_corners=False)
    return total / motions.shape[2]


def convolved(x: Tensor, kernels: Tensor) -> Tensor:
    """Convolve each sample of (N, C, H, W) with its own kernel (N, k, k), by Fourier transforms; the valid
    region.

    Direct convolution with kernels of this size costs many times more on a CPU.
    """
    size = kernels.shape[-1]
    sides = x.shape[-2:]
    spectrum = torch.fft.rfft2(x) * torch.fft.rfft2(kernels, s=sides)[:, None]
    return torch.fft.irfft2(spectrum, s=sides)[..., size - 1 :, size - 1 :]
