import numpy as np
import pytest
import torch

from enhance_cli.degrade.camera import MARGIN, CameraNoise, camera_noise, camera_noise_batch

ONLY_CAMERA = CameraNoise(untouched=0, white=0, gray=0, jpeg=0)


def flat_crops(n=8, level=120.0, side=160 + 2 * MARGIN):
    return torch.full((n, 3, side, side), level)


def noise_of(how, n=8, level=120.0, seed=0):
    noisy, clean = camera_noise_batch(flat_crops(n, level), torch.Generator().manual_seed(seed), how)
    return (noisy - clean).numpy()


def neighbours(noise):
    """Correlation of horizontal neighbours, one figure for each sample."""
    return np.array([np.corrcoef(one[:, :, 1:].ravel(), one[:, :, :-1].ravel())[0, 1] for one in noise])


def test_pictures_keep_their_size_but_for_the_margin_and_whole_levels():
    noisy, clean = camera_noise_batch(flat_crops(), torch.Generator().manual_seed(0))
    assert noisy.shape == clean.shape == (8, 3, 160, 160)
    assert (noisy == noisy.round()).all() and noisy.min() >= 0 and noisy.max() <= 255


def test_the_seed_decides():
    one, same, other = (noise_of(CameraNoise(), seed=seed) for seed in (1, 1, 2))
    assert (one == same).all() and (one != other).any()


def test_neighbouring_pixels_and_colours_share_their_noise():
    assert neighbours(noise_of(ONLY_CAMERA, n=16)).min() > 0.3


def test_white_noise_has_no_neighbours_in_common():
    white = CameraNoise(untouched=0, white=1, gray=0, jpeg=0)
    assert np.abs(neighbours(noise_of(white))).max() < 0.05


def test_brightness_is_left_where_it_is():
    noise = noise_of(ONLY_CAMERA, n=32)
    spread = noise.std(axis=(1, 2, 3))
    assert (np.abs(noise.mean(axis=(1, 2, 3))) < 0.12 * spread + 0.1).all()


def test_noise_depends_on_brightness():
    """The tone curve is steep in the shadows, and white is cut off."""
    dark, white = (noise_of(ONLY_CAMERA, n=32, level=level).std() for level in (60.0, 255.0))
    assert white < 0.7 * dark


def test_untouched_pictures_are_untouched():
    assert not noise_of(CameraNoise(untouched=1)).any()


def test_gray_pictures_stay_gray():
    crops = torch.rand(4, 3, 160 + 2 * MARGIN, 160 + 2 * MARGIN).mul(255).round()
    how = CameraNoise(untouched=0, white=0.5, gray=1, jpeg=0)
    noisy, clean = camera_noise_batch(crops, torch.Generator().manual_seed(0), how)
    for picture in (noisy, clean):
        assert (picture == picture[:, :1]).all()
    assert (noisy != clean).any()


def test_jpeg_comes_last():
    jpeg = CameraNoise(untouched=0, white=0, gray=0, jpeg=1, quality=(70, 70))
    plain = CameraNoise(untouched=0, white=0, gray=0, jpeg=0)
    # JPEG at quality 70 takes most of the finest noise of a flat area.
    assert noise_of(jpeg).std() < noise_of(plain).std()


@pytest.mark.parametrize("shape", [(1, 1), (7, 33), (64, 48)])
def test_one_picture_of_any_size(shape):
    clean = np.full((*shape, 3), 100, np.uint8)
    noisy = camera_noise(clean, seed=5)
    assert noisy.shape == clean.shape and noisy.dtype == np.uint8
    assert (noisy == camera_noise(clean, seed=5)).all()
    if min(shape) > 1:
        assert 1 < (noisy.astype(float) - clean).std() < 40
