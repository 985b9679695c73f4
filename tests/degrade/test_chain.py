import numpy as np
import pytest
import torch

from enhance_cli.degrade.chain import BLUR_SIZE, blur_kernel, worn_batch


def crops(n=4, side=128):
    generator = torch.Generator().manual_seed(2)
    coarse = torch.rand(n, 3, side // 8, side // 8, generator=generator) * 255
    return torch.nn.functional.interpolate(coarse, size=side, mode="bicubic").round().clamp(0, 255)


def worn(x, scale, seed):
    return worn_batch(x, scale, np.random.default_rng(seed), torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("scale", [2, 4])
@pytest.mark.parametrize("seed", range(12))
def test_small_pictures_on_whole_levels(scale, seed):
    small = worn(crops(), scale, seed)
    assert small.shape == (4, 3, 128 // scale, 128 // scale)
    assert (small == small.round()).all() and small.min() >= 0 and small.max() <= 255


def test_the_seed_decides():
    assert (worn(crops(), 2, 3) == worn(crops(), 2, 3)).all()
    assert (worn(crops(), 2, 3) != worn(crops(), 2, 4)).any()


def test_nothing_moves():
    """However worn, the small picture lies where the shrunk one lies."""
    x = crops(8)
    plain = torch.nn.functional.avg_pool2d(x, 2)
    for seed in range(30):
        small = worn(x, 2, seed)
        errors = {
            (dy, dx): (torch.roll(small, (dy, dx), (2, 3)) - plain)[..., 4:-4, 4:-4].square().mean()
            for dy in (-1, 0, 1)
            for dx in (-1, 0, 1)
        }
        assert min(errors, key=errors.get) == (0, 0)


def test_pictures_range_from_nearly_clean_to_badly_worn():
    x = crops(8)
    plain = torch.nn.functional.avg_pool2d(x, 2)
    errors = [(worn(x, 2, seed) - plain).square().mean((1, 2, 3)).sqrt() for seed in range(40)]
    errors = torch.cat(errors)
    assert errors.min() < 3 and errors.max() > 12


def test_kernels_sum_to_one_and_move_nothing():
    rng = np.random.default_rng(0)
    offsets = np.arange(BLUR_SIZE) - BLUR_SIZE // 2
    for width in np.linspace(0, 4, 60):
        kernel = blur_kernel(rng, width)
        assert kernel.sum() == pytest.approx(1, abs=1e-4)
        assert kernel.sum(0) @ offsets == pytest.approx(0, abs=0.02)
