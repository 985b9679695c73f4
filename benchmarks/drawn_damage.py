"""Damage for fitting and checking estimates, drawn otherwise than what the package's networks learn from."""

import math

import cv2
import numpy as np

LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def read(path):
    """(H, W, C) uint8, C = 1 or 3, RGB."""
    pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    return pixels[..., None] if pixels.ndim == 2 else np.ascontiguousarray(pixels[..., 2::-1])


def whole(pixels):
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)


def jpeg(pixels, quality, *, subsampled):
    factor = cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420 if subsampled else cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444
    setting = [cv2.IMWRITE_JPEG_QUALITY, quality]
    if pixels.shape[2] == 3:
        setting += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, factor]
    coded = cv2.imencode(".jpg", pixels[..., ::-1], setting)[1]
    return np.ascontiguousarray(cv2.imdecode(coded, cv2.IMREAD_UNCHANGED).reshape(pixels.shape)[..., ::-1])


def white_noise(pixels, sigma, rng):
    return whole(pixels + sigma * rng.standard_normal(pixels.shape))


def camera_noise(pixels, rng):
    """Noisy (H, W, 3) of even sides: drawn in a mosaic, interpolated, mostly smoothed; 2 to 9 levels."""
    pixels = pixels[: pixels.shape[0] // 2 * 2, : pixels.shape[1] // 2 * 2]
    light = np.maximum(np.square(pixels.astype(np.float32) / 255), 0.004)
    gains = np.array([rng.uniform(1.2, 2.4), 1, rng.uniform(1.2, 2.4)], np.float32)
    shot = math.exp(rng.uniform(math.log(2e-4), math.log(8e-3)))
    read_noise = 2e-3 * shot**0.5 * rng.uniform(0.5, 4)
    noise = np.sqrt(light / gains * shot + read_noise) * rng.standard_normal(pixels.shape).astype(np.float32)
    mosaic = np.zeros_like(noise)
    for (y, x), colour in (((0, 0), 0), ((0, 1), 1), ((1, 0), 1), ((1, 1), 2)):
        mosaic[y::2, x::2, colour] = noise[y::2, x::2, colour]
    noise = _interpolated(mosaic, rng.choice([0, rng.uniform(0, 1)])) * gains * 255 / (2 * np.sqrt(light))
    if rng.random() < 0.75:
        noise = _smoothed(noise, rng)
        noise *= math.exp(rng.uniform(math.log(2), math.log(9))) / max(float(noise.std()), 1e-3)
    return whole(pixels + noise * min(1, 15 / max(float(noise.std()), 1e-3)))


def _interpolated(mosaic, sharpness):
    tent = np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]], np.float32) / 4
    cross = np.array([[0, 1, 0], [1, 4, 1], [0, 1, 0]], np.float32) / 4
    laplacian = np.zeros((5, 5), np.float32)
    laplacian[2] = (-1, 0, 4, 0, -1)
    laplacian[[0, 4], 2] = -1
    planes = [cv2.filter2D(mosaic[..., c], -1, kernel) for c, kernel in enumerate((tent, cross, tent))]
    detail = cv2.filter2D(mosaic.sum(2), -1, laplacian / 8)[..., None]
    return np.stack(planes, axis=2) + np.float32(sharpness) * detail * (mosaic == 0)


def _smoothed(noise, rng):
    luma = noise @ LUMA
    chroma = noise - luma[..., None]
    luma = cv2.GaussianBlur(luma, (0, 0), rng.uniform(0.4, 1.6))
    if rng.random() < 0.4:
        luma = luma + rng.uniform(0, 2) * cv2.GaussianBlur(luma, (0, 0), rng.uniform(1.5, 4))
    return luma[..., None] + cv2.GaussianBlur(chroma, (0, 0), rng.uniform(0.6, 3)) * rng.uniform(0.05, 1.2)


def kernel(kind, rng, smallest=1.0):
    """A blur kernel that sums to 1: `gauss`, `disc`, `line` or `shake`, of a size drawn for it.

    `smallest` is the least sigma of a Gaussian, half a disc's least radius, a quarter of a path's length.
    """
    grow = math.exp(rng.uniform(0, math.log(6)))
    if kind == "gauss":
        one = cv2.getGaussianKernel(41, smallest * grow)
        return one @ one.T
    if kind == "disc":
        y, x = np.mgrid[-15:16:0.1, -15:16:0.1][:, :310, :310] + 0.05 - 0.5
        disc = (y**2 + x**2 < (2 * smallest * grow) ** 2).reshape(31, 10, 31, 10).sum((1, 3))
        return disc / disc.sum()
    length = 4 * smallest * grow
    turns = np.zeros(300) if kind == "line" else 10 ** rng.uniform(-2, -0.7) * rng.standard_normal(300)
    angle = rng.uniform(0, 2 * np.pi) + np.cumsum(turns)
    path = np.cumsum(np.stack([np.sin(angle), np.cos(angle)]) * rng.uniform(0.3, 1, 300), axis=1)
    path *= length / np.ptp(path, axis=1).max() if kind == "shake" else length / np.linalg.norm(path[:, -1])
    path = path - path.mean(1, keepdims=True)
    edges = np.arange(-30.5, 31)
    found = np.histogram2d(*(path + rng.uniform(-0.5, 0.5, (2, 1))), bins=(edges, edges))[0]
    return found / found.sum()


def width(blur):
    """Standard deviation in pixels along the direction of most blur."""
    y, x = np.indices(blur.shape)
    return math.sqrt(
        np.linalg.eigvalsh(np.cov(np.stack([y.ravel(), x.ravel()]), aweights=blur.ravel(), ddof=0))[-1]
    )


def blurred(pixels, blur):
    turned = np.ascontiguousarray(blur[::-1, ::-1])
    result = cv2.filter2D(pixels.astype(np.float32), -1, turned, borderType=cv2.BORDER_REFLECT)
    return whole(result).reshape(pixels.shape)
