import cv2
import numpy as np
import pytest
from skimage import data

from enhance_cli.imaging.noise import estimate_noise, estimate_sigma

PICTURES = {
    "astronaut": data.astronaut()[:300, :300],
    "camera": data.camera()[..., None],
    "coffee": data.coffee()[:300, :400],
    "gray": data.astronaut()[..., 1:2],
}


def with_white_noise(clean, sigma):
    return clean + sigma * np.random.default_rng(sigma).standard_normal(clean.shape)


def with_camera_noise(clean, level):
    """Noise stronger in the dark, smoothed as demosaicing and a camera's own denoising do."""
    noise = np.random.default_rng(level).standard_normal(clean.shape).astype(np.float32)
    noise = cv2.GaussianBlur(noise, (0, 0), 1.2).reshape(clean.shape)
    return whole(clean + level * noise / noise.std() * (1.3 - clean / 400))


def whole(pixels):
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)


def as_jpeg(pixels, quality):
    """Ordinary: chroma halved in both directions."""
    setting = [
        cv2.IMWRITE_JPEG_QUALITY,
        quality,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
    ]
    return cv2.imdecode(cv2.imencode(".jpg", pixels[..., ::-1], setting)[1], cv2.IMREAD_COLOR)[..., ::-1]


def set_of(shared, name):
    return [
        cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
        for path in sorted((shared / "data" / "test" / name).iterdir())
    ]


@pytest.mark.parametrize("sigma", [5, 10, 15, 25, 50, 75])
@pytest.mark.parametrize("name", PICTURES)
def test_known_noise_is_found(name, sigma):
    noisy = with_white_noise(PICTURES[name], sigma)
    assert estimate_sigma(noisy.astype(np.float32) / 255) == pytest.approx(sigma, rel=0.08)


@pytest.mark.parametrize("sigma", [5, 10, 25, 50, 75])
@pytest.mark.parametrize("name", PICTURES)
def test_noise_cut_off_at_black_and_white_is_found(name, sigma):
    noisy = whole(with_white_noise(PICTURES[name], sigma))
    found = estimate_noise(noisy)
    assert found.kind == "white"
    assert found.sigma == pytest.approx(sigma, rel=0.1)
    assert estimate_sigma(noisy.astype(np.float32) / 255) == pytest.approx(sigma, rel=0.1)


@pytest.mark.parametrize("name", PICTURES)
def test_clean_pictures_are_found_clean(name):
    found = estimate_noise(PICTURES[name])
    assert (found.kind, found.sigma) == ("none", 0)
    assert estimate_sigma(PICTURES[name].astype(np.float32) / 255) < 3


@pytest.mark.parametrize("name", PICTURES)
def test_correlated_noise_is_a_camera_s(name):
    found = estimate_noise(with_camera_noise(PICTURES[name], 8))
    assert found.kind == "camera"
    assert 2 < found.sigma < 12
    assert found.correlation > 0.3


def test_white_noise_halves_with_the_size_and_correlated_noise_does_not():
    white = estimate_noise(whole(with_white_noise(PICTURES["astronaut"], 20)))
    camera = estimate_noise(with_camera_noise(PICTURES["astronaut"], 8))
    for planes in (white.luma, white.chroma):
        assert planes[1] / planes[0] == pytest.approx(0.5, abs=0.07)
    assert camera.luma[1] / camera.luma[0] > 0.7
    assert white.correlation < 0.1


def test_the_curve_follows_the_brightness():
    ramp = np.tile(np.linspace(20, 235, 512)[None, :, None], (512, 1, 3))
    noise = np.random.default_rng(3).standard_normal(ramp.shape)
    brightness, level = np.array(estimate_noise(whole(ramp + noise * (2 + ramp / 20))).curve).T
    luma = np.sqrt(np.square([0.299, 0.587, 0.114]).sum())
    assert len(brightness) >= 6
    assert level == pytest.approx(luma * (2 + brightness / 20), rel=0.2)


@pytest.mark.parametrize("quality", [90, 95, 98])
def test_subsampled_chroma_does_not_hide_white_noise(quality):
    noisy = as_jpeg(whole(with_white_noise(PICTURES["coffee"], 15)), quality)
    found = estimate_noise(noisy)
    assert found.kind == "white"
    assert found.sigma == pytest.approx(15, rel=0.25)


def test_white_noise_in_a_coarse_jpeg_is_still_noise():
    assert estimate_noise(as_jpeg(whole(with_white_noise(PICTURES["coffee"], 15)), 75)).kind == "camera"


def test_noise_equal_in_all_colours_keeps_its_strength():
    clean = PICTURES["coffee"]
    noise = 12 * np.random.default_rng(4).standard_normal(clean.shape[:2])
    # Other colours than gray, so that the picture does not count as gray.
    found = estimate_noise(as_jpeg(whole(clean + noise[..., None]), 98))
    assert found.sigma == pytest.approx(12, rel=0.15)


def test_sixteen_bits():
    noisy = np.clip(with_white_noise(PICTURES["coffee"], 10) * 257, 0, 65535).astype(np.uint16)
    assert estimate_noise(noisy).sigma == pytest.approx(10, rel=0.05)


def test_gray_in_three_channels_is_gray():
    gray = whole(with_white_noise(PICTURES["gray"], 10))
    found, in_three = estimate_noise(gray), estimate_noise(np.repeat(gray, 3, axis=2))
    assert in_three == found
    assert found.chroma == ()


def test_drawings_hold_no_noise():
    drawing = np.full((400, 600, 3), 255, np.uint8)
    for number in range(40):
        corner = (13 * number % 500, 29 * number % 340)
        colour = (40 * number % 256, 90 * number % 256, 200)
        cv2.circle(drawing, corner, 5 + number, colour, -1, cv2.LINE_AA)
        cv2.putText(
            drawing, f"Text {number}", corner, cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 1, cv2.LINE_AA
        )
    sprite = np.random.default_rng(5).integers(0, 4, (32, 32, 1)) * np.uint8([80, 60, 40])
    sprite = np.kron(sprite, np.ones((8, 8, 1), np.uint8)).astype(np.uint8)
    for pixels in (drawing, sprite):
        assert estimate_noise(pixels).kind == "none"
        assert estimate_sigma(pixels.astype(np.float32) / 255) == 0


def test_pure_noise():
    noise = 0.5 + 20 / 255 * np.random.default_rng(11).standard_normal((64, 64, 1))
    assert estimate_sigma(noise) == pytest.approx(20, rel=0.15)
    assert estimate_noise(whole(255 * noise)).kind == "white"
    uniform = np.random.default_rng(6).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    assert estimate_noise(uniform).sigma > 50


def test_gradients_and_single_colours_hold_no_noise():
    gradient = np.tile(np.arange(256, dtype=np.uint8)[None, :, None], (256, 1, 3))
    for pixels in (gradient, np.full_like(gradient, 77), np.zeros_like(gradient)):
        assert (estimate_noise(pixels).kind, estimate_noise(pixels).sigma) == ("none", 0)


@pytest.mark.parametrize(
    "shape", [(1, 1, 1), (1, 50, 3), (3, 3, 3), (8, 8, 3), (20, 9, 3), (40, 33, 1), (63, 200, 3)]
)
def test_tiny_pictures_give_a_number(shape):
    pixels = np.random.default_rng(12).uniform(size=shape)
    assert 0 <= estimate_sigma(pixels) < 255
    assert estimate_sigma(np.zeros(shape)) == 0
    assert estimate_noise(whole(255 * pixels)).sigma >= 0
    assert estimate_noise(np.zeros(shape, np.uint8)).kind == "none"


def test_published_pictures_are_clean(shared):
    clean = set_of(shared, "LIVE1") + set_of(shared, "BSD100")[::4]
    assert sum(estimate_noise(pixels).kind == "none" for pixels in clean) >= 0.92 * len(clean)


def test_white_noise_on_published_pictures(shared):
    for number, clean in enumerate(set_of(shared, "CBSD68")[::8]):
        for sigma in (5, 50):
            noise = sigma * np.random.default_rng(number).standard_normal(clean.shape)
            found = estimate_noise(whole(clean + noise))
            assert found.kind == "white"
            assert found.sigma == pytest.approx(sigma, rel=0.05)


def test_photographs_in_little_light(shared):
    noisy, clean = (set_of(shared, f"real_noise_polyu/{which}") for which in ("noisy", "clean"))
    assert sum(estimate_noise(pixels).kind == "camera" for pixels in noisy) >= 15
    assert sum(estimate_noise(pixels).kind == "none" for pixels in clean) >= 19
