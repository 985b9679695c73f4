"""Noise as cameras leave it in their files: drawn on the sensor, carried through demosaicing, colours and
JPEG.

A finished picture is brought back to the sensor's linear light (after Brooks et al., "Unprocessing images for
learned raw denoising", CVPR 2019), where noise is drawn for the one colour that each pixel of a Bayer mosaic
holds: photons give a variance that grows with the light, the electronics a constant one.  Demosaicing, white
balance, colour matrix and tone curve spread it over pixels and colours, the camera's own denoising takes its
finest part (after Guo et al., "Toward convolutional blind denoising of real photographs", CVPR 2019), and
JPEG is the last.

Only the noise goes through the mosaic and the filters: picture and noisy picture differ in nothing else but
JPEG's rounding, so that a network learns to take noise away and not to sharpen.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from enhance_cli.degrade.jpeg import compress, compress_batch

MARGIN = 8
"""Pixels around a crop that are drawn along, since filters look past its border."""
SHOT = (1e-4, 8e-3)
"""Range of the variance that photons give, at white, from ISO 100 in daylight to a phone at night."""
LUMA = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class CameraNoise:
    """How likely each fate is, and how strong.

    `untouched` pictures stay as they are; `white` ones get plain white noise, as old scans and other programs
    have it.
    """

    untouched: float = 0.12
    white: float = 0.1
    gray: float = 0.06
    filtered: float = 0.75
    """Share whose finest noise the camera took away."""
    jpeg: float = 0.65
    quality: tuple[int, int] = (70, 98)
    shot: tuple[float, float] = SHOT


USUAL = CameraNoise()
Draw = Callable[[float, float], Tensor]
"""Uniform numbers between two bounds, (N, 1, 1, 1), one for each sample."""


def camera_noise_batch(
    x: Tensor, generator: torch.Generator, how: CameraNoise = USUAL
) -> tuple[Tensor, Tensor]:
    """Noisy and clean pictures of clean crops (N, 3, s, s) on whole levels 0..255, s a multiple of 16 plus 2
    MARGIN.

    Both (N, 3, s - 2 MARGIN, s - 2 MARGIN) on whole levels; the clean ones are the crops, some of them made
    gray.
    """
    n, device = len(x), x.device

    uniform = _uniform(n, generator)

    def chance(share: float) -> Tensor:
        return uniform(0, 1) < share

    luma = (x * x.new_tensor(LUMA).view(1, 3, 1, 1)).sum(1, keepdim=True).round()
    x = torch.where(chance(how.gray), luma.expand_as(x), x)
    noise = camera_grain(x, generator, how)
    sigma = 30 * uniform(0, 1) ** 2
    white = sigma * torch.randn(x.shape, generator=generator, device=device)
    noise = torch.where(chance(how.white), white, noise)
    # A gray picture is gray to the end.
    is_gray = (x == luma).all(1, keepdim=True).all(2, keepdim=True).all(3, keepdim=True)
    noise = torch.where(is_gray, noise[:, 1:2].expand_as(noise), noise)
    inside = (..., slice(MARGIN, -MARGIN), slice(MARGIN, -MARGIN))
    clean = x[inside]
    noisy = (clean + noise[inside]).round().clamp(0, 255)
    low, high = how.quality
    quality = torch.randint(low, high + 1, (n,), generator=generator, device=device)
    subsample = bool(torch.rand((), generator=generator, device=device) < 0.7)
    coded = compress_batch(noisy, quality, subsample=subsample)
    noisy = torch.where(chance(how.jpeg), coded, noisy)
    return torch.where(chance(how.untouched), clean, noisy), clean


def camera_noise(x: NDArray[np.uint8], seed: int, *, quality: int | None = None) -> NDArray[np.uint8]:
    """A noisy photograph of one clean picture (H, W, 3) uint8, for benchmarks; a pure function of both.

    Never untouched, white or gray; the noise is of ISO 1600 to 12800 as it were (variance of photons 5e-4 to
    6e-3), and the file PNG or, with `quality`, JPEG by libjpeg.
    """
    how = CameraNoise(untouched=0, white=0, gray=0, jpeg=0, shot=(5e-4, 6e-3))
    height, width = x.shape[:2]
    bottom, right = -height % 16, -width % 16
    padded = np.pad(x, ((MARGIN, MARGIN + bottom), (MARGIN, MARGIN + right), (0, 0)), mode="symmetric")
    generator = torch.Generator().manual_seed(seed)
    batch = torch.from_numpy(padded).permute(2, 0, 1)[None].float()
    noisy, _ = camera_noise_batch(batch, generator, how)
    pixels = noisy[0].permute(1, 2, 0).to(torch.uint8).numpy()[:height, :width]
    return pixels.copy() if quality is None else compress(pixels.copy(), quality)


def camera_grain(x: Tensor, generator: torch.Generator, how: CameraNoise = USUAL) -> Tensor:
    """What a camera's noise adds to pictures (N, 3, H, W) in 0..255, neither rounded nor clipped.

    It is of mean 0 wherever it lies: carried through gains, matrix and tone curve by their slopes. What the
    bend of the curve and clipping do to its mean is left out, which would teach a network to move brightness.
    """
    n, device = len(x), x.device
    uniform = _uniform(n, generator)
    matrix = _colour_matrices(n, generator, device)
    # Daylight and lamps: red and blue are amplified.  A brightening stands for exposure in software.
    gains = torch.cat([uniform(1.2, 2.4), uniform(1.0, 1.0), uniform(1.2, 2.4)], 1) * uniform(0.8, 1.5)
    # Above black a gamma of 2.2 is too steep for what cameras do there.
    light = (x / 255).square().clamp_min(0.004)
    sensor = (_mixed(torch.linalg.inv(matrix), light) / gains).clamp(0, 1)
    low, high = (math.log(bound) for bound in how.shot)
    shot = uniform(low, high).exp()
    # Gain and read noise rise together (Brooks et al., section 3.1), with a spread from camera to camera.
    read = (2.18 * shot.log() + 1.2 + 0.4 * torch.randn(n, 1, 1, 1, generator=generator, device=device)).exp()
    full = ((1 - sensor) * 50).clamp(max=1)  # what saturates the sensor has no noise
    white = torch.randn(x.shape, generator=generator, device=device)
    mosaic = white * (shot * sensor + read).sqrt() * full * _bayer(x, generator)
    noise = _demosaiced(mosaic, uniform(0, 1))
    # Tone curve: a square root, which gamma is near enough to, and a share of contrast in the middle.
    root = light.sqrt()
    slope = 0.5 / root * (1 + uniform(0, 0.8) * (6 * root - 6 * root * root - 1))
    noise = _mixed(matrix, noise * gains) * slope * 255
    return torch.where(uniform(0, 1) < how.filtered, _filtered(noise, x, uniform), noise)


def _uniform(n: int, generator: torch.Generator) -> Draw:
    def draw(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(n, 1, 1, 1, generator=generator, device=generator.device)

    return draw


def _filtered(noise: Tensor, picture: Tensor, uniform: Draw) -> Tensor:
    """What a camera's own denoising leaves: less of the finest noise, above all in colour."""
    luma = (noise * noise.new_tensor(LUMA).view(1, 3, 1, 1)).sum(1, keepdim=True)
    chroma = (noise - luma) * uniform(0.2, 1.0)
    fine, coarse = _gauss(luma, uniform(0.4, 1.4)), _gauss(luma, uniform(1.5, 4.0))
    smooth = fine + uniform(0, 2.5) * coarse + _gauss(chroma, uniform(0.6, 3.0)) * uniform(0.6, 1.6)
    # Near edges denoisers dare less.
    gray = picture.mean(1, keepdim=True)
    across, down = (gray[..., 1:] - gray[..., :-1]).abs(), (gray[..., 1:, :] - gray[..., :-1, :]).abs()
    steps = _gauss(F.pad(across, (0, 1)) + F.pad(down, (0, 0, 0, 1)), 1.5)
    kept = (steps / uniform(15, 60)).clamp(max=1) * uniform(0, 0.7)
    # A filter takes energy; the camera that needs it has the more to begin with.
    return uniform(1.0, 2.0) * (kept * (luma + chroma) + (1 - kept) * smooth)


def _colour_matrices(n: int, generator: torch.Generator, device: torch.device) -> Tensor:
    """(n, 3, 3) from the sensor's colours to sRGB: rows sum to 1, so that white stays white."""
    off = -0.65 + 0.7 * torch.rand(n, 3, 3, generator=generator, device=device)
    off = off * (1 - torch.eye(3, device=device))
    # Red and blue hardly see one another.
    off[:, 0, 2] *= 0.35
    off[:, 2, 0] *= 0.35
    return off + torch.diag_embed(1 - off.sum(2))


def _mixed(matrix: Tensor, x: Tensor) -> Tensor:
    return torch.einsum("ndc,nchw->ndhw", matrix, x)


def _bayer(x: Tensor, generator: torch.Generator) -> Tensor:
    """Ones where a mosaic has the colour, shaped as x, (N, 3, H, W); each sample's pattern is its own."""
    shifts = torch.randint(0, 2, (2, len(x), 1, 1), generator=generator, device=x.device)
    rows = (torch.arange(x.shape[2], device=x.device)[:, None] + shifts[0]) % 2
    columns = (torch.arange(x.shape[3], device=x.device)[None, :] + shifts[1]) % 2
    red, blue = (rows == 0) & (columns == 1), (rows == 1) & (columns == 0)
    return torch.stack([red, rows == columns, blue], 1).float()


def _demosaiced(mosaic: Tensor, sharp: Tensor) -> Tensor:
    """(N, 3, H, W) with zeros where a colour is missing -> all three everywhere, by linear filters.

    Missing samples are means of their neighbours; by the share `sharp`, (N, 1, 1, 1), they also get what the
    colour measured there differs from its own surroundings by, as better methods do (Malvar, He and Cutler
    2004).
    """
    tent = mosaic.new_tensor([[1, 2, 1], [2, 4, 2], [1, 2, 1]]) / 4
    cross = mosaic.new_tensor([[0, 1, 0], [1, 4, 1], [0, 1, 0]]) / 4
    planes = F.conv2d(mosaic, torch.stack([tent, cross, tent])[:, None], padding=1, groups=3)
    measured = mosaic.sum(1, keepdim=True)
    laplacian = (
        mosaic.new_tensor([[0, 0, -1, 0, 0], [0] * 5, [-1, 0, 4, 0, -1], [0] * 5, [0, 0, -1, 0, 0]]) / 8
    )
    detail = F.conv2d(measured, laplacian[None, None], padding=2)
    return planes + sharp * detail * (mosaic == 0)


def _gauss(x: Tensor, width: Tensor | float) -> Tensor:
    """Gaussian blur of (N, C, H, W) by `width` pixels, (N, 1, 1, 1) or one for all; beyond the border there
    is nothing.

    By matrix products, which processors are good at.
    """
    width = torch.as_tensor(width, device=x.device, dtype=x.dtype).reshape(-1, 1, 1, 1)
    matrices = []
    for side in x.shape[2:]:
        positions = torch.arange(side, device=x.device, dtype=x.dtype)
        # (N or 1, 1, side, side), rows normalised.
        matrix = torch.exp(-0.5 * ((positions[:, None] - positions) / width) ** 2)
        matrices.append(matrix / matrix.sum(-1, keepdim=True))
    down, across = matrices
    return down @ x @ across.mT
