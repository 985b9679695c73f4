import numpy as np
import torch

from enhance_cli.degrade.noise import add_noise, add_noise_batch


def test_sigma_is_on_the_0_to_255_scale_and_nothing_is_clipped():
    x = np.zeros((200, 200, 1), np.uint8)
    noisy = add_noise(x, 25, seed=1)
    assert abs(noisy.std() - 25) < 0.5
    assert noisy.min() < -50


def test_seed_decides():
    x = np.full((8, 8, 3), 100, np.uint8)
    assert np.array_equal(add_noise(x, 10, 3), add_noise(x, 10, 3))
    assert not np.array_equal(add_noise(x, 10, 3), add_noise(x, 10, 4))


def test_batch_has_one_sigma_per_sample():
    x = torch.full((2, 1, 100, 100), 128.0)
    noisy = add_noise_batch(x, torch.tensor([0.0, 50.0]), torch.Generator().manual_seed(0))
    assert torch.equal(noisy[0], x[0])
    assert abs(noisy[1].std().item() - 50) < 1
