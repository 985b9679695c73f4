import numpy as np
import pytest
import torch

from enhance_cli.degrade.shake import (
    KERNEL_SIZE,
    LONGEST,
    MARGIN,
    Shake,
    ShakenPictures,
    camera_path,
    convolved,
    focus_kernel,
    kernel_of,
    shake_kernel,
    turned,
)

SEEDS = range(60)


def centre(kernel):
    offsets = np.arange(KERNEL_SIZE) - KERNEL_SIZE // 2
    return kernel.sum(1) @ offsets, kernel.sum(0) @ offsets


@pytest.mark.parametrize("make", [shake_kernel, focus_kernel])
def test_kernels_sum_to_one_and_move_nothing(make):
    for seed in SEEDS:
        kernel = make(seed)
        assert kernel.shape == (KERNEL_SIZE, KERNEL_SIZE) and kernel.min() >= 0
        assert kernel.sum() == pytest.approx(1, abs=1e-4)
        # A long path that strays is cut off at the rim, which may move its centre by a little.
        assert np.abs(centre(kernel)).max() < 1.5
    assert np.mean([np.abs(centre(make(seed))).max() < 0.05 for seed in SEEDS]) > 0.9


def test_the_seed_decides():
    assert (shake_kernel(3) == shake_kernel(3)).all()
    assert (shake_kernel(3) != shake_kernel(4)).any()


def test_a_path_has_the_length_asked_for():
    for seed in SEEDS:
        path = camera_path(np.random.default_rng(seed), 12.0)
        assert np.ptp(path, axis=1).max() == pytest.approx(12.0)
        assert path.mean(axis=1) == pytest.approx([0, 0], abs=1e-9)


def test_most_paths_are_short_and_some_are_long():
    sides = np.array([np.ptp(np.nonzero(shake_kernel(seed) > 1e-6)[0]) for seed in range(300)])
    assert np.median(sides) < LONGEST / 2 < sides.max()


def test_a_resting_camera_is_sharp():
    kernel = kernel_of(np.zeros((2, 10)))
    assert kernel[KERNEL_SIZE // 2, KERNEL_SIZE // 2] == 1


def test_convolution_by_fourier_transforms_is_convolution():
    rng = np.random.default_rng(0)
    x = rng.random((50, 44))
    kernel = shake_kernel(7)
    ours = convolved(torch.from_numpy(x)[None, None].float(), torch.from_numpy(kernel)[None])[0, 0].numpy()
    windows = np.lib.stride_tricks.sliding_window_view(x, kernel.shape)
    theirs = np.einsum("yxab,ab->yx", windows, kernel[::-1, ::-1])
    assert ours == pytest.approx(theirs, abs=1e-4)


def crops(n=6, side=64 + 2 * MARGIN):
    generator = torch.Generator().manual_seed(1)
    coarse = torch.rand(n, 3, side // 4 + 1, side // 4 + 1, generator=generator) * 255
    return torch.nn.functional.interpolate(coarse, size=side, mode="bilinear").round()


def drawn(how, x, seed=0):
    return ShakenPictures(range(40), how)(x, torch.Generator().manual_seed(seed))


def test_pictures_keep_their_size_but_for_the_margin_and_whole_levels():
    blurred, clean = drawn(Shake(), crops())
    assert blurred.shape == clean.shape == (6, 3, 64, 64)
    assert (blurred == blurred.round()).all() and blurred.min() >= 0 and blurred.max() <= 255


def test_a_sharp_share_is_left_as_it_is():
    blurred, clean = drawn(Shake(sharp=0.999, noisy=1.0, jpeg=1.0), crops())
    assert (blurred == clean).all()


def test_blur_keeps_brightness_and_takes_contrast():
    how = Shake(sharp=0, defocused=0, linear=0, noisy=0, jpeg=0)
    x = crops().clamp(0, 240)
    blurred, clean = drawn(how, x)
    assert (blurred.mean((1, 2, 3)) - clean.mean((1, 2, 3))).abs().max() < 6
    assert (blurred.std((1, 2, 3)) < clean.std((1, 2, 3))).all()


def test_light_adds_up_before_the_tone_curve():
    """Half black and half white is brighter than the mean of the levels where light is averaged."""
    x = torch.zeros(4, 3, 64 + 2 * MARGIN, 64 + 2 * MARGIN)
    x[..., ::2] = 240
    linear, plain = (
        drawn(Shake(sharp=0, defocused=0.5, linear=share, noisy=0, jpeg=0), x)[0].mean() for share in (1, 0)
    )
    assert linear > plain + 20


def test_a_turning_camera_blurs_the_rim_more_than_the_middle():
    lines = torch.zeros(1, 1, 65, 65)
    lines[..., ::4] = 1
    motion = torch.zeros(1, 3, 9)
    motion[0, 2] = torch.linspace(-0.06, 0.06, 9)
    contrast = turned(lines, motion)[0, 0].std(1)
    assert contrast[32] > 1.5 * contrast[4] and contrast[32] > 1.5 * contrast[60]


def test_a_motion_without_turning_is_a_convolution():
    x = crops(1, 96)[:, :1]
    path = camera_path(np.random.default_rng(5), 6.0)
    motion = torch.from_numpy(np.concatenate([path, np.zeros((1, path.shape[1]))]))[None].float()
    inside = slice(MARGIN, -MARGIN)
    by_kernel = convolved(x, torch.from_numpy(kernel_of(path))[None])
    # Bilinear samples look from the other side: what moves down has been above.
    by_warps = turned(x, -motion)[..., inside, inside]
    assert (by_warps - by_kernel).abs().max() < 1.5


def test_turning_batches_keep_sizes_and_levels():
    blurred, clean = drawn(Shake(sharp=0, turning=1.0), crops())
    assert blurred.shape == clean.shape == (6, 3, 64, 64)
    assert (blurred != clean).any() and (blurred == blurred.round()).all()
