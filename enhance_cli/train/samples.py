"""Training pairs: random crops and what each task's degradation makes of them, as batches on the device."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from enhance_cli.arch.contract import ArchSpec, Task
from enhance_cli.degrade import camera, shake
from enhance_cli.degrade.bicubic import enlarge_batch, shrink_batch
from enhance_cli.degrade.blur import KERNEL_SIZE, blur_batch, motion_kernel
from enhance_cli.degrade.chain import worn_batch
from enhance_cli.degrade.jpeg import compress_batch
from enhance_cli.degrade.mosaic import mosaic_batch
from enhance_cli.degrade.noise import add_noise_batch
from enhance_cli.degrade.photo import BLUR_SIZE, GRID, draw_batch, photograph_batch
from enhance_cli.engine.tiles import round_up
from enhance_cli.errors import UsageError
from enhance_cli.tasks import TASKS
from enhance_cli.train.data import Bank
from enhance_cli.train.recipe import Recipe

# Benchmarks number their kernels from 0 upwards; training must not see those.
FIRST_TRAINING_KERNEL = 1_000_000
N_TRAINING_KERNELS = 1024
SHIFTED = 0.25
"""Share of JPEG batches whose 8x8 grid does not start at the patch's corner, as in a cropped JPEG."""


@dataclass(frozen=True)
class Sample:
    """One batch on the 0..255 scale."""

    degraded: Tensor
    """(N, C, H, W), what the network gets."""
    clean: Tensor
    """(N, C, H', W'), what it should give."""
    condition: Tensor | None = None
    """(N, 1, 1, 1): sigma / 255 or quality / 100."""


Sampler = Callable[[Bank, int], Sample]
"""Draws a batch of the given number of samples from the bank."""


def sampler(recipe: Recipe, spec: ArchSpec) -> Sampler:
    """The function that draws batches for a recipe; UsageError if the network is not made for its task."""
    if problem := _mismatch(recipe, spec):
        raise UsageError(f"Recipe {recipe.name}: {recipe.arch} with these parameters {problem}")
    makers: dict[Task, Callable[[Recipe, ArchSpec], Sampler]] = {
        "sr": _Sr,
        "dejpeg": _Jpeg,
        "denoise": _Noise,
        "deblur": _Blur,
        "demosaic": _Mosaic,
    }
    damages: dict[str, Callable[[Recipe, ArchSpec], Sampler]] = {
        "camera": _Camera,
        "shake": _Shake,
        "worn": _Worn,
    }
    if recipe.damage:
        return damages[recipe.damage](recipe, spec)
    return (_Photo if recipe.photo else makers[recipe.task])(recipe, spec)


def _mismatch(recipe: Recipe, spec: ArchSpec) -> str | None:
    """What would go wrong without a word: a wrong condition fits in shape, and no enlargement is a copy."""
    task = TASKS[recipe.task]
    if spec.condition not in (None, task.condition):
        return (
            f"wants to be told the {spec.condition}, which {recipe.task} does not know; change its condition"
        )
    if recipe.photo and (recipe.task not in ("sr", "dejpeg") or spec.pre_upsampled):
        return "cannot learn from photo = true, which is for dejpeg and for sr that enlarges; leave it out"
    if task.enlarges and spec.pre_upsampled and not recipe.scales:
        return "takes an enlarged picture; name the factors in scales"
    if len(recipe.scales) > recipe.batch or any(recipe.patch % scale for scale in recipe.scales):
        return "sees every scale in every batch; make batch that long, and patch a multiple of each"
    if task.enlarges and not spec.pre_upsampled and (recipe.scales or spec.scale == 1):
        return f"enlarges {spec.scale} times; set its scale to 2 or more and leave out scales"
    if task.mosaic and (spec.colour != "rgb" or recipe.patch % 2):
        return "must take three channels, and patches of an even side; change one of them"
    if not task.enlarges and spec.scale != 1:
        return f"enlarges {spec.scale} times, which {recipe.task} does not; set its scale to 1"
    return None


class _Task:
    def __init__(self, recipe: Recipe, spec: ArchSpec) -> None:
        self.recipe, self.spec = recipe, spec

    def _crops(self, bank: Bank, n: int, side: int) -> Tensor:
        """Clean crops, (N, C, side, side) in 0..255, some of them of pure colours alone."""
        clean = bank.crops(n, side)
        if not self.recipe.pure:
            return clean
        chosen = _uniform(bank, n, (0, 1))[:, None, None, None] < self.recipe.pure
        # A threshold for each plane: flat areas of the colour cube's corners, with hard edges.
        thresholds = _uniform(bank, n * clean.shape[1], (32, 224)).reshape(n, -1, 1, 1)
        return torch.where(chosen, (clean > thresholds) * 255.0, clean)


class _Sr(_Task):
    # Pixels of the shrunk crop that the mirrored edge reaches; they are cut off.
    MARGIN = 2

    def __call__(self, bank: Bank, n: int) -> Sample:
        scales = self.recipe.scales or (self.spec.scale,)
        # Every batch holds all scales: batch norm's statistics would else swing with the scale of the day.
        shares = torch.arange(n).tensor_split(len(scales))
        degraded, clean = [], []
        for scale, share in zip(scales, shares, strict=True):
            side = self.recipe.patch // scale if self.spec.pre_upsampled else self.recipe.patch
            large = self._crops(bank, len(share), (side + 2 * self.MARGIN) * scale)
            small, cut = shrink_batch(large, scale), self.MARGIN
            if self.spec.pre_upsampled:
                small, cut = enlarge_batch(small, scale), self.MARGIN * scale
            whole = self.MARGIN * scale
            degraded.append(small[..., cut:-cut, cut:-cut])
            clean.append(large[..., whole:-whole, whole:-whole])
        return Sample(torch.cat(degraded), torch.cat(clean))


class _Jpeg(_Task):
    def __call__(self, bank: Bank, n: int) -> Sample:
        side = self.recipe.patch
        clean = self._crops(bank, n, round_up(side, 16) + 16)
        low, high = self.recipe.quality
        quality = torch.randint(low, high + 1, (n,), generator=bank.generator, device=bank.device)
        degraded = compress_batch(clean, quality, subsample=bool(torch.rand(1) < 0.75))
        dy, dx = torch.randint(0, 16, (2,)).tolist() if torch.rand(1) < SHIFTED else (0, 0)
        window = (..., slice(dy, dy + side), slice(dx, dx + side))
        return Sample(degraded[window], clean[window], (quality / 100)[:, None, None, None])


class _Photo(_Task):
    def __call__(self, bank: Bank, n: int) -> Sample:
        patch, scale = self.recipe.patch, self.spec.scale
        # A block more, so that patches can begin anywhere in the JPEG's grid.
        side = round_up(patch, GRID) + GRID
        clean = self._crops(bank, n, side * scale + BLUR_SIZE - 1)
        rng = np.random.default_rng((FIRST_TRAINING_KERNEL, int(torch.randint(2**31, ()))))
        fates = draw_batch(rng, n, scale, self.recipe.quality)
        degraded = photograph_batch(clean, scale, fates, bank.generator)
        top, left = torch.randint(0, GRID, (2,)).tolist() if torch.rand(1) < SHIFTED else (0, 0)
        small = degraded[..., top : top + patch, left : left + patch]
        top, left = (BLUR_SIZE // 2 + scale * edge for edge in (top, left))
        large = clean[..., top : top + scale * patch, left : left + scale * patch]
        quality = torch.tensor([fate.last_quality / 100 for fate in fates], device=bank.device)
        return Sample(small, large, quality[:, None, None, None])


class _Noise(_Task):
    # Share of samples clipped and rounded, as picture files hold their noise. The papers' protocol does
    # neither, but a network that never saw it turns black into gray.
    CLIPPED = 0.4
    # Share of samples with another noise than the network is told, from none at all to 1.4 times as much.
    # Without them it undoes the clipping of noise that is not there, and contrast rises.
    MISTOLD, MOST = 0.2, 1.4

    def __call__(self, bank: Bank, n: int) -> Sample:
        clean = self._crops(bank, n, self.recipe.patch)
        told = _uniform(bank, n, self.recipe.sigma)
        mistold = _uniform(bank, n, (0, 1)) < self.MISTOLD
        sigma = torch.where(mistold, told * _uniform(bank, n, (0, self.MOST)), told)
        noisy = add_noise_batch(clean, sigma, bank.generator)
        clipped = _uniform(bank, n, (0, 1))[:, None, None, None] < self.CLIPPED
        noisy = torch.where(clipped, noisy.round().clamp(0, 255), noisy)
        return Sample(noisy, clean, told[:, None, None, None] / 255)


class _Camera(_Task):
    def __call__(self, bank: Bank, n: int) -> Sample:
        clean = self._crops(bank, n, self.recipe.patch + 2 * camera.MARGIN)
        return Sample(*camera.camera_noise_batch(clean, bank.generator))


class _Shake(_Task):
    # Kernels cost more than batches: this many serve for a while, then another stock is drawn.
    N_KERNELS, N_BATCHES = 512, 2000

    def __init__(self, recipe: Recipe, spec: ArchSpec) -> None:
        super().__init__(recipe, spec)
        self.n_drawn = 0
        self.pictures = self._stock(0)

    def __call__(self, bank: Bank, n: int) -> Sample:
        self.n_drawn += 1
        if self.n_drawn % self.N_BATCHES == 0:
            self.pictures = self._stock(self.n_drawn // self.N_BATCHES)
        clean = self._crops(bank, n, self.recipe.patch + 2 * shake.MARGIN)
        return Sample(*self.pictures(clean, bank.generator))

    def _stock(self, number: int) -> shake.ShakenPictures:
        first = FIRST_TRAINING_KERNEL + number * self.N_KERNELS
        return shake.ShakenPictures(range(first, first + self.N_KERNELS))


class _Worn(_Task):
    def __call__(self, bank: Bank, n: int) -> Sample:
        clean = self._crops(bank, n, self.recipe.patch * self.spec.scale)
        rng = np.random.default_rng((FIRST_TRAINING_KERNEL, int(torch.randint(2**31, ()))))
        return Sample(worn_batch(clean, self.spec.scale, rng, bank.generator), clean)


class _Blur(_Task):
    # Share of samples left sharp, so that the network learns to leave a good picture alone.
    SHARP = 0.12

    def __init__(self, recipe: Recipe, spec: ArchSpec) -> None:
        super().__init__(recipe, spec)
        seeds = range(FIRST_TRAINING_KERNEL, FIRST_TRAINING_KERNEL + N_TRAINING_KERNELS)
        self.kernels = torch.from_numpy(np.stack([motion_kernel(seed) for seed in seeds]))
        n_sharp = int(self.SHARP * N_TRAINING_KERNELS)
        self.kernels[:n_sharp] = 0
        self.kernels[:n_sharp, KERNEL_SIZE // 2, KERNEL_SIZE // 2] = 1

    def __call__(self, bank: Bank, n: int) -> Sample:
        margin = KERNEL_SIZE // 2
        clean = self._crops(bank, n, self.recipe.patch + 2 * margin)
        self.kernels = self.kernels.to(bank.device)
        chosen = torch.randint(len(self.kernels), (n,), generator=bank.generator, device=bank.device)
        blurred = blur_batch(clean, self.kernels[chosen])
        blurred = add_noise_batch(blurred, _uniform(bank, n, self.recipe.sigma), bank.generator)
        return Sample(blurred.round().clamp(0, 255), clean[..., margin:-margin, margin:-margin])


class _Mosaic(_Task):
    def __call__(self, bank: Bank, n: int) -> Sample:
        clean = self._crops(bank, n, self.recipe.patch)
        # All four patterns, so that flipped and turned pictures (self-ensemble) are known as well.
        shifts = torch.randint(0, 2, (n, 2), generator=bank.generator, device=bank.device)
        return Sample(mosaic_batch(clean, shifts), clean)


def _uniform(bank: Bank, n: int, bounds: tuple[float, float]) -> Tensor:
    low, high = bounds
    return low + (high - low) * torch.rand(n, generator=bank.generator, device=bank.device)
