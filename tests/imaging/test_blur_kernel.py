"""The kernel of a blur, found from the blurred picture."""

import numpy as np
import pytest

from enhance_cli.degrade.blur import blur
from enhance_cli.degrade.shake import kernel_of
from enhance_cli.imaging.blur_kernel import Search, estimate_kernel, spectrum, wrapped


def scene(side=160, seed=0):
    """Overlapping rectangles and discs, luma in [0, 1]: edges in all directions."""
    rng = np.random.default_rng(seed)
    x = np.full((side, side), 0.5, np.float32)
    rows, columns = np.mgrid[:side, :side]
    for number in range(70):
        middle, size, level = rng.integers(0, side, 2), rng.integers(4, 22, 2), rng.uniform(0.05, 0.95)
        down, right = np.abs(rows - middle[0]), np.abs(columns - middle[1])
        inside = (down < size[0]) & (right < size[1]) if number % 2 else down**2 + right**2 < size[0] ** 2
        x[inside] = level
    return x


def hook():
    """A path with a corner, its ends of unequal length, about its centre of mass."""
    down = np.stack([np.linspace(0, 7, 80), np.zeros(80)])
    right = np.stack([np.full(60, 7), np.linspace(0, 5, 60)])
    path = np.concatenate([down, right], axis=1)
    return kernel_of(path - path.mean(1, keepdims=True))


def likeness(a, b):
    """1 for kernels that are the same but for their place."""
    products = np.fft.rfft2(a, s=(64, 64)) * np.conj(np.fft.rfft2(b, s=(64, 64)))
    return np.fft.irfft2(products).max() / np.sqrt((a**2).sum() * (b**2).sum())


def blurred(x, kernel):
    levels = np.rint(255 * x).astype(np.uint8)[..., None]
    return blur(levels, kernel)[..., 0].astype(np.float32) / 255


@pytest.mark.parametrize("kernel", [hook(), hook().T.copy()], ids=["hook", "turned"])
def test_a_blur_of_the_whole_picture_is_found(kernel):
    found = estimate_kernel(blurred(scene(), kernel), Search(0.008, size=21))
    assert found.shape == (21, 21)
    assert found.min() >= 0
    assert found.sum() == pytest.approx(1, abs=1e-5)
    assert likeness(found, kernel) > 0.8
    # What is found is the blur's shape, not just some blot: mirrored it fits less well.
    assert likeness(found, kernel) > likeness(found[::-1], kernel) + 0.1


def test_the_centre_of_mass_is_the_middle():
    found = estimate_kernel(blurred(scene(), hook()), Search(0.008, size=21))
    offsets = np.arange(21) - 10
    assert abs(found.sum(0) @ offsets) < 0.1
    assert abs(found.sum(1) @ offsets) < 0.1


def test_a_picture_without_edges_gives_some_kernel():
    found = estimate_kernel(np.full((100, 120), 0.3, np.float32), Search(0.008, size=21))
    assert np.isfinite(found).all()
    assert found.sum() == pytest.approx(1, abs=1e-5)


def test_wrapped_leads_smoothly_from_one_border_to_the_other():
    ramp = np.linspace(0, 1, 100, dtype=np.float32)[None].repeat(90, 0)
    out = wrapped(ramp, 15)
    assert np.array_equal(out[:90, :100], ramp)
    assert out.shape[0] >= 120
    assert out.shape[1] >= 130
    assert np.abs(out - np.roll(out, 1, 1)).max() < 0.1


def test_the_spectrum_of_a_point_changes_nothing():
    point = np.zeros((5, 5), np.float32)
    point[2, 2] = 1
    assert np.allclose(spectrum(point, (16, 20)), 1)
