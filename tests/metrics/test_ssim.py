import numpy as np
import pytest
from skimage import data
from skimage.metrics import structural_similarity

from enhance_cli.errors import ImageError
from enhance_cli.metrics.ssim import ssim


def by_scikit_image(a, b, **how):
    """Mean over the valid region: its own mean crops by 5 as well for this window."""
    return structural_similarity(
        a,
        b,
        data_range=255,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        **how,
    )


@pytest.fixture(scope="module")
def noisy():
    clean = data.camera()[100:220, 150:280].astype(np.float64)
    return clean, clean + 12 * np.random.default_rng(2).standard_normal(clean.shape)


def test_gray_agrees_with_scikit_image(noisy):
    assert ssim(*noisy) == pytest.approx(by_scikit_image(*noisy), abs=1e-9)


def test_colour_is_the_mean_over_channels(noisy):
    a, b = (np.stack([x, x / 2, 255 - x], axis=2) for x in noisy)
    b[..., 1] += 20
    assert ssim(a, b) == pytest.approx(by_scikit_image(a, b, channel_axis=2), abs=1e-9)
    assert ssim(a, b) == pytest.approx(np.mean([ssim(a[..., c], b[..., c]) for c in range(3)]))


def test_equal_pictures_give_one(noisy):
    assert ssim(noisy[0], noisy[0]) == pytest.approx(1)


def test_only_the_valid_region_counts(noisy):
    """One window alone: changing nothing but weights beyond it cannot matter, as there is nothing beyond."""
    a, b = (x[:11, :11] for x in noisy)
    kernel = np.exp(-(np.arange(-5, 6) ** 2) / 4.5)
    w = np.outer(kernel, kernel) / kernel.sum() ** 2
    ma, mb = (w * a).sum(), (w * b).sum()
    va, vb, cov = (w * a * a).sum() - ma**2, (w * b * b).sum() - mb**2, (w * a * b).sum() - ma * mb
    c1, c2 = 2.55**2, 7.65**2
    expected = (2 * ma * mb + c1) * (2 * cov + c2) / ((ma**2 + mb**2 + c1) * (va + vb + c2))
    assert ssim(a, b) == pytest.approx(expected)


def test_small_and_unequal_pictures_are_errors():
    with pytest.raises(ImageError, match="11x11"):
        ssim(np.zeros((10, 40)), np.zeros((10, 40)))
    with pytest.raises(ImageError, match="cannot compare"):
        ssim(np.zeros((20, 40)), np.zeros((40, 20)))
