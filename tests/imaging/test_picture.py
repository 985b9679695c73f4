import numpy as np

from enhance_cli.imaging.picture import Picture, joined

GRAY = np.random.default_rng(0).integers(0, 256, (5, 4, 1), dtype=np.uint8)


def test_equal_channels_are_one_and_come_back():
    picture = Picture(GRAY.repeat(3, axis=2), alpha=GRAY[..., 0])
    gray = picture.as_gray()
    assert gray is not None
    assert np.array_equal(gray.pixels, GRAY) and gray.alpha is picture.alpha
    assert np.array_equal(gray.as_rgb().pixels, picture.pixels)


def test_one_different_pixel_is_colour_and_gray_is_gray_already():
    pixels = GRAY.repeat(3, axis=2)
    pixels[2, 3, 1] ^= 1
    assert Picture(pixels).as_gray() is None
    assert Picture(GRAY).as_gray() is None


def test_bands_join_to_the_picture():
    rng = np.random.default_rng(0)
    pixels, alpha = rng.integers(0, 9, (7, 4, 3), dtype=np.uint8), rng.integers(0, 9, (7, 4), dtype=np.uint8)
    picture = Picture(pixels, alpha, warnings=("kept",))
    bands = [Picture(pixels[rows], alpha[rows]) for rows in (slice(0, 5), slice(5, 7))]
    outline = picture.outline(4, 7)
    for parts in (bands, [picture]):
        whole = joined(outline, parts)
        assert np.array_equal(whole.pixels, pixels) and np.array_equal(whole.alpha, alpha)
        assert whole.warnings == ("kept",)
