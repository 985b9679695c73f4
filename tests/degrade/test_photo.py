from dataclasses import replace

import numpy as np
import pytest
import torch
from skimage import data

from enhance_cli.degrade import photo
from enhance_cli.degrade.bicubic import shrink
from enhance_cli.degrade.photo import BLUR_SIZE, draw, draw_batch, photograph, photograph_batch

FLAT = np.full((64, 64, 3), 120, np.uint8)


def fates(scale, count=200):
    return [draw(np.random.default_rng(seed), scale) for seed in range(count)]


def rmse(a, b):
    return float(np.sqrt(np.square(np.asarray(a, float) - np.asarray(b, float)).mean()))


def batch(x, scale, fate, seed=0):
    tensor = torch.from_numpy(x).permute(2, 0, 1)[None].float()
    out = photograph_batch(tensor, scale, [fate], torch.Generator().manual_seed(seed))
    return out[0].permute(1, 2, 0).numpy()


def test_blur_grows_with_the_scale_and_jpeg_removal_has_none():
    assert all((fate.kernel == fate.kernel.max()).sum() == 1 and fate.kernel.max() == 1 for fate in fates(1))
    peaks = [np.mean([fate.kernel.max() for fate in fates(scale)]) for scale in (2, 4)]
    assert peaks[1] < peaks[0] < 0.6
    for fate in fates(4):
        assert fate.kernel.sum() == pytest.approx(1, abs=1e-5)
        assert np.allclose(fate.kernel, fate.kernel[::-1, ::-1], atol=1e-7)


def test_fates_cover_their_ranges():
    drawn = fates(4)
    sizes, twice = [fate.first_size for fate in drawn], [fate.first_quality is not None for fate in drawn]
    assert 60 < sum(size == 1 for size in sizes) < 140 and max(sizes) > 1.8
    assert all(twice[i] for i, size in enumerate(sizes) if size > 1) and not all(twice)
    assert min(fate.last_quality for fate in drawn) >= 30 and max(fate.last_quality for fate in drawn) <= 95
    assert np.median([fate.noise for fate in drawn]) < 4 < 10 < max(fate.noise for fate in drawn) <= 12


def test_a_batch_is_resized_as_a_whole_or_not_at_all():
    batches = [draw_batch(np.random.default_rng(seed), 6, 4, (30, 95)) for seed in range(20)]
    resized = [{fate.first_size > 1 for fate in fates_} for fates_ in batches]
    assert {len(kinds) for kinds in resized} == {1} and {True} in resized and {False} in resized
    assert all(len(fates_) == 6 and fates_[0] is not fates_[1] for fates_ in batches)


def test_grain_keeps_the_strength_of_the_noise():
    side = 128 + BLUR_SIZE - 1
    plain = {"noise": 12, "first_size": 1.0, "first_quality": None, "last_quality": 100, "subsample": False}
    for fate in fates(4, 20):
        noisy = batch(np.full((side, side, 3), 120, np.uint8), 1, replace(fate, **plain))
        assert noisy[8:-8, 8:-8].std() == pytest.approx(12, rel=0.2)


def test_the_seed_decides_and_the_size_is_that_of_the_small_picture():
    x = data.astronaut()[:120, :160]
    first, again, other = (photograph(x, 4, seed) for seed in (1, 1, 2))
    assert first.shape == (30, 40, 3) and first.dtype == np.uint8
    assert np.array_equal(first, again) and not np.array_equal(first, other)
    assert photograph(x[..., :1], 2, 0).shape == (60, 80, 1)


def test_the_last_quality_is_the_one_asked_for():
    x = data.astronaut()[:128, :128]
    low, high = ([rmse(photograph(x, 1, seed, (q, q)), x) for seed in range(12)] for q in (10, 95))
    assert min(np.array(low) - np.array(high)) > 0


def test_the_small_picture_lies_where_the_clean_one_does():
    x = data.astronaut()[:160, :160]
    for seed in range(6):
        spoilt = photograph(x, 2, seed)
        aligned, shifted = (rmse(spoilt, shrink(np.roll(x, offset, 1), 2)) for offset in (0, 2))
        assert aligned < shifted


def test_batches_are_spoilt_like_single_pictures(monkeypatch):
    margin, scale = BLUR_SIZE // 2, 2
    x = data.astronaut()[: 128 + BLUR_SIZE - 1, : 128 + BLUR_SIZE - 1]
    for seed in range(8):
        fate = replace(draw(np.random.default_rng(seed), scale), noise=0.0, first_size=1.0)
        monkeypatch.setattr(photo, "draw", lambda *_, fate=fate: fate)
        inner = x[margin:-margin, margin:-margin]
        one, single = (y[8:-8, 8:-8] for y in (batch(x, scale, fate), photograph(inner, scale, seed)))
        assert rmse(single, shrink(inner, scale)[8:-8, 8:-8]) > 2 * rmse(one, single)
        assert rmse(one, single) < 2


def test_flat_pictures_stay_what_they_are():
    clean = replace(draw(np.random.default_rng(0), 1), noise=0.0)
    x = np.pad(FLAT, [(BLUR_SIZE // 2,) * 2] * 2 + [(0, 0)], mode="edge")
    assert np.abs(batch(x, 1, clean) - 120).max() <= 2
