import numpy as np
import pytest
from skimage import data

from enhance_cli.imaging.noise import estimate_sigma

PICTURES = {
    "astronaut": data.astronaut()[:300, :300],
    "camera": data.camera()[..., None],
    "coffee": data.coffee()[:300, :400],
    "gray": data.astronaut()[..., 1:2],
}


@pytest.mark.parametrize("sigma", [5, 10, 15, 25, 50])
@pytest.mark.parametrize("name", PICTURES)
def test_known_noise_is_found(name, sigma):
    clean = PICTURES[name]
    noisy = clean + sigma * np.random.default_rng(sigma).standard_normal(clean.shape)
    assert estimate_sigma(noisy.astype(np.float32) / 255) == pytest.approx(sigma, rel=0.08)


@pytest.mark.parametrize("sigma", [10, 25])
@pytest.mark.parametrize("name", PICTURES)
def test_noise_cut_off_at_black_and_white_is_found(name, sigma):
    clean = PICTURES[name]
    noisy = clean + sigma * np.random.default_rng(sigma).standard_normal(clean.shape)
    levels = np.clip(np.rint(noisy), 0, 255).astype(np.float32)
    assert estimate_sigma(levels / 255) == pytest.approx(sigma, rel=0.1)


@pytest.mark.parametrize("name", PICTURES)
def test_clean_pictures_are_found_clean(name):
    assert estimate_sigma(PICTURES[name].astype(np.float32) / 255) < 2.5


def test_pure_noise():
    noise = 0.5 + 20 / 255 * np.random.default_rng(11).standard_normal((64, 64, 1))
    assert estimate_sigma(noise) == pytest.approx(20, rel=0.1)


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 50, 3), (3, 3, 3), (4, 5, 1), (8, 8, 3), (20, 9, 3)])
def test_tiny_pictures_give_a_number(shape):
    pixels = np.random.default_rng(12).uniform(size=shape)
    assert 0 <= estimate_sigma(pixels) < 255
    assert estimate_sigma(np.zeros(shape)) == 0
