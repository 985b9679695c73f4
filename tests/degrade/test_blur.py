import numpy as np
import pytest
import torch

from enhance_cli.degrade.blur import blur, blur_batch, motion_kernel


@pytest.mark.parametrize("seed", range(20))
def test_kernels_are_centred_paths_that_sum_to_one(seed):
    kernel = motion_kernel(seed)
    assert kernel.shape == (15, 15)
    assert kernel.sum() == pytest.approx(1, abs=1e-5)
    assert kernel.min() >= 0
    rows, columns = np.nonzero(kernel)
    assert abs(rows.min() + rows.max() - 14) <= 2
    assert abs(columns.min() + columns.max() - 14) <= 2


def test_kernels_differ_by_seed():
    assert not np.allclose(motion_kernel(0), motion_kernel(1))


def test_blur_is_a_convolution():
    x = np.zeros((31, 31, 1), np.uint8)
    x[15, 15] = 255
    kernel = motion_kernel(2)
    assert np.abs(blur(x, kernel)[8:23, 8:23, 0] - 255 * kernel).max() <= 0.5 + 1e-4


def test_batch_equals_single_inside():
    x = np.random.default_rng(0).integers(0, 256, (60, 50, 3), dtype=np.uint8)
    kernels = [motion_kernel(3), motion_kernel(4)]
    tensor = torch.from_numpy(x).permute(2, 0, 1)[None].float().repeat(2, 1, 1, 1)
    out = blur_batch(tensor, torch.from_numpy(np.stack(kernels)))
    for one, kernel in zip(out, kernels, strict=True):
        inner = blur(x, kernel)[7:-7, 7:-7]
        assert np.abs(one.permute(1, 2, 0).numpy() - inner).max() <= 0.51
