import io

import numpy as np
import pytest
from PIL import Image
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
    with pytest.raises(ImageError, match="8x8"):
        ssim(np.zeros((7, 40)), np.zeros((7, 40)), window="flat")


def test_the_flat_window_weighs_8x8_pixels_alike(noisy):
    a, b = (x[:9, :8] for x in noisy)
    c1, c2 = 2.55**2, 7.65**2
    expected = []
    for p, q in ((a[:8], b[:8]), (a[1:], b[1:])):
        covariance = ((p - p.mean()) * (q - q.mean())).mean()
        moments = (p.mean() ** 2 + q.mean() ** 2 + c1) * (p.var() + q.var() + c2)
        expected.append((2 * p.mean() * q.mean() + c1) * (2 * covariance + c2) / moments)
    assert ssim(a, b, window="flat") == pytest.approx(np.mean(expected))


def test_shrinking_takes_means_of_blocks():
    rng = np.random.default_rng(5)
    a = rng.uniform(0, 255, (512, 600))
    b = a + rng.normal(0, 20, a.shape)
    blocks = [x.reshape(256, 2, 300, 2).mean(axis=(1, 3)) for x in (a, b)]
    assert ssim(a, b, shrink=True) == pytest.approx(ssim(*blocks), abs=1e-9)
    colour = [np.stack([x, x[::-1]], axis=2) for x in (a, b)]
    assert ssim(*colour, shrink=True) == pytest.approx(
        np.mean([ssim(*pair, shrink=True) for pair in ((a, b), (a[::-1], b[::-1]))])
    )


def test_shrinking_by_three_is_centred_and_mirrors_the_edges():
    rng = np.random.default_rng(6)
    a = rng.uniform(0, 255, (700, 641))
    b = a + rng.normal(0, 20, a.shape)
    padded = [np.pad(x, 1, mode="symmetric") for x in (a, b)]
    means = [sum(x[i : i + 700, j : j + 641] for i in range(3) for j in range(3)) / 9 for x in padded]
    assert ssim(a, b, shrink=True) == pytest.approx(ssim(*(x[::3, ::3] for x in means)), abs=1e-9)


@pytest.mark.parametrize(("side", "shrunk"), [(383, False), (384, True)])
def test_pictures_are_shrunk_from_384_pixels_on(side, shrunk):
    rng = np.random.default_rng(7)
    a, b = rng.uniform(0, 255, (2, side, 400))
    assert (ssim(a, b, shrink=True) != ssim(a, b)) == shrunk


@pytest.mark.parametrize(
    ("quality", "gaussian", "flat", "shrunk"),
    [
        (10, 0.7595, 0.7800, 0.8847),
        (20, 0.8344, 0.8541, 0.9451),
        (30, 0.8666, 0.8844, 0.9649),
        (40, 0.8849, 0.9011, 0.9744),
    ],
)
def test_the_untouched_jpegs_of_classic5(shared, quality, gaussian, flat, shrunk):
    """The flat window gives what AR-CNN's paper prints for JPEG: 0.7800, 0.8541, 0.8844, 0.9011."""
    figures = []
    for path in sorted((shared / "data/test/Classic5").iterdir()):
        with Image.open(path) as picture:
            buffer = io.BytesIO()
            picture.save(buffer, "JPEG", quality=quality)
            pair = np.asarray(picture), np.asarray(Image.open(buffer))
        figures.append((ssim(*pair), ssim(*pair, window="flat"), ssim(*pair, shrink=True)))
    assert np.mean(figures, axis=0) == pytest.approx((gaussian, flat, shrunk), abs=6e-5)
