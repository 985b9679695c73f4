from dataclasses import replace

import numpy as np
import pytest
import torch
from skimage import data

from enhance_cli.arch.contract import ArchSpec
from enhance_cli.degrade.bicubic import enlarge_batch
from enhance_cli.errors import UsageError
from enhance_cli.train.data import Bank
from enhance_cli.train.recipe import Recipe
from enhance_cli.train.samples import sampler

RECIPE = Recipe(name="t", arch="unet", task="sr", packs=("p",), patch=48, batch=4, lr=1e-3, budget="1m")
SPEC = ArchSpec(colour="rgb", halo=1)


@pytest.fixture
def bank() -> Bank:
    made = Bank([data.astronaut()], torch.device("cpu"))
    made.generator.manual_seed(0)
    torch.manual_seed(0)
    return made


def rmse(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a - b).square().mean().sqrt())


@pytest.mark.parametrize(
    ("entries", "spec", "reason"),
    [
        ({"task": "denoise"}, {"condition": "quality"}, "quality"),
        ({"task": "deblur"}, {"condition": "sigma"}, "sigma"),
        ({"task": "dejpeg"}, {"scale": 2}, "enlarges 2 times"),
        ({"task": "sr"}, {"scale": 1}, "scale to 2 or more"),
        ({"task": "sr", "scales": (2, 3)}, {"scale": 2}, "leave out scales"),
        ({"task": "sr"}, {"pre_upsampled": True}, "factors in scales"),
        ({"task": "denoise", "photo": True}, {}, "photo"),
        ({"task": "sr", "photo": True, "scales": (2,)}, {"pre_upsampled": True}, "photo"),
        ({"task": "demosaic"}, {"colour": "gray"}, "three channels"),
        ({"task": "demosaic", "patch": 47}, {}, "even side"),
    ],
)
def test_a_network_for_something_else_is_refused(entries, spec, reason):
    with pytest.raises(UsageError, match=reason):
        sampler(replace(RECIPE, **entries), replace(SPEC, **spec))


def test_a_share_of_samples_is_of_pure_colours(bank):
    task = replace(SPEC, scale=2)
    clean = sampler(replace(RECIPE, pure=0.5), task)(bank, 64).clean
    pure = ((clean == 0) | (clean == 255)).flatten(1).all(1)
    assert 16 < pure.sum() < 48
    # Not black and white alone: the planes differ.
    assert sum(len(one.flatten(1).T.unique(dim=0)) > 2 for one in clean[pure]) > 8
    assert not ((clean == 0) | (clean == 255))[~pure].flatten(1).all(1).any()


def test_without_pure_colours_nothing_is_drawn_for_them(bank):
    first = sampler(RECIPE, replace(SPEC, scale=2))(bank, 4).clean
    bank.generator.manual_seed(0)
    assert torch.equal(first, bank.crops(4, 104)[..., 4:-4, 4:-4])


def test_mosaics_hold_one_true_sample_per_pixel_in_all_patterns(bank):
    sample = sampler(replace(RECIPE, task="demosaic"), SPEC)(bank, 16)
    kept = sample.degraded == sample.clean
    assert (sample.degraded[~kept] == 0).all()
    assert (kept.sum(1) >= 1).all()
    corners = {tuple(corner) for corner in (sample.degraded[..., :2, :2] > 0).flatten(1).int().tolist()}
    assert len(corners) >= 4


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_sr_pairs_line_up(bank, scale):
    sample = sampler(RECIPE, replace(SPEC, scale=scale))(bank, 4)
    assert sample.degraded.shape == (4, 3, 48, 48)
    assert sample.clean.shape == (4, 3, 48 * scale, 48 * scale)
    aligned = rmse(enlarge_batch(sample.degraded, scale), sample.clean)
    shifted = rmse(enlarge_batch(sample.degraded, scale), sample.clean.roll(scale, -1))
    assert aligned < 0.8 * shifted


def test_sr_for_pre_enlarged_networks_draws_several_scales_at_one_size(bank):
    draw = sampler(replace(RECIPE, scales=(2, 3, 4)), replace(SPEC, pre_upsampled=True))
    sample = draw(bank, 30)
    assert sample.degraded.shape == sample.clean.shape == (30, 3, 48, 48)
    assert (sample.degraded != sample.degraded.round()).any()
    errors = [rmse(a, b) for a, b in zip(sample.degraded.split(10), sample.clean.split(10), strict=True)]
    assert errors[0] < errors[1] < errors[2]


def test_jpeg_quality_is_per_sample_and_told(bank):
    sample = sampler(replace(RECIPE, task="dejpeg", quality=(5, 60)), SPEC)(bank, 32)
    assert sample.condition is not None and sample.condition.shape == (32, 1, 1, 1)
    assert 0.05 <= sample.condition.min() < 0.2 and 0.4 < sample.condition.max() <= 0.6
    error = (sample.degraded - sample.clean).square().mean((1, 2, 3)).log()
    assert np.corrcoef(error, sample.condition.flatten().log())[0, 1] < -0.3


def test_jpeg_patches_may_have_any_side(bank):
    sample = sampler(replace(RECIPE, task="dejpeg", patch=41), SPEC)(bank, 2)
    assert sample.degraded.shape == sample.clean.shape == (2, 3, 41, 41)


@pytest.mark.parametrize(("task", "scale"), [("sr", 4), ("sr", 2), ("dejpeg", 1)])
def test_photographs_line_up_with_what_they_were(bank, task, scale):
    recipe = replace(RECIPE, task=task, photo=True, patch=40, quality=(60, 80))
    sample = sampler(recipe, replace(SPEC, scale=scale))(bank, 8)
    assert sample.degraded.shape == (8, 3, 40, 40)
    assert sample.clean.shape == (8, 3, 40 * scale, 40 * scale)
    assert 0.6 <= sample.condition.min() < sample.condition.max() <= 0.8
    large = enlarge_batch(sample.degraded, scale)
    shifts = {(y, x): rmse(large.roll((y, x), (2, 3)), sample.clean) for y in (-1, 0, 1) for x in (-1, 0, 1)}
    assert min(shifts, key=shifts.get) == (0, 0)


def test_most_noise_matches_what_is_told_and_the_rest_is_weaker_or_a_little_stronger(bank):
    sample = sampler(replace(RECIPE, task="denoise", sigma=(5.0, 50.0)), SPEC)(bank, 64)
    measured = (sample.degraded - sample.clean).std((1, 2, 3)) / 255
    plain = (sample.degraded != sample.degraded.round()).any(-1).any(-1).any(-1)
    ratio = (measured / sample.condition.flatten())[plain]
    as_told = (ratio - 1).abs() < 0.05
    assert 0.65 < as_told.float().mean() < 0.9
    assert ratio.max() < 1.5 and ratio.min() < 0.8
    assert 26 < plain.sum() < 50


@pytest.mark.parametrize(("task", "damage"), [("denoise", "camera"), ("deblur", "shake")])
def test_damage_as_cameras_make_it(bank, task, damage):
    sample = sampler(replace(RECIPE, task=task, damage=damage, patch=32), SPEC)(bank, 16)
    assert sample.degraded.shape == sample.clean.shape == (16, 3, 32, 32)
    assert sample.condition is None
    changed = (sample.degraded != sample.clean).flatten(1).any(1)
    # Most are damaged, and some are left as they are.
    assert 8 <= changed.sum() <= 16


def test_half_of_the_noise_is_that_of_a_file():
    black = Bank([np.zeros((48, 48, 3), np.uint8)], torch.device("cpu"))
    sample = sampler(replace(RECIPE, task="denoise", sigma=(25.0, 25.0)), SPEC)(black, 32)
    lowest = sample.degraded.amin((1, 2, 3))
    assert ((lowest == 0) | (lowest < -50)).all()
    assert 8 < (lowest == 0).sum() < 24


def test_blur_is_centred_and_some_samples_stay_sharp(bank):
    sample = sampler(replace(RECIPE, task="deblur"), SPEC)(bank, 64)
    assert sample.degraded.shape == sample.clean.shape == (64, 3, 48, 48)
    error = (sample.degraded - sample.clean).square().mean((1, 2, 3))
    assert 0 < (error == 0).sum() < 24
    assert rmse(sample.degraded, sample.clean) < rmse(sample.degraded, sample.clean.roll(4, -1))


def test_worn_photographs_are_smaller_by_the_scale(bank):
    spec = replace(SPEC, scale=2)
    sample = sampler(replace(RECIPE, task="sr", damage="worn", patch=32), spec)(bank, 4)
    assert sample.degraded.shape == (4, 3, 32, 32) and sample.clean.shape == (4, 3, 64, 64)
