"""Fits the weights by which `engine/deconvolution.py` foretells what undoing a blur gains.

    python benchmarks/fit_kernels.py --data DIR

DIR holds training pictures. They are blurred by drawn shakes, straight movements and lenses out of focus,
some noisy, some as JPEG, some left sharp. Prints the weights, and what choosing by them gains.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np

from enhance_cli.checkpoints import catalog
from enhance_cli.degrade.blur import blur, motion_kernel
from enhance_cli.degrade.shake import camera_path, focus_kernel, kernel_of
from enhance_cli.engine.deconvolution import LEAST_SIDE, deconvolved, fit_features
from enhance_cli.engine.restorer import Restorer
from enhance_cli.engine.settings import EngineSettings
from enhance_cli.engine.sources import from_catalog
from enhance_cli.imaging.blur_kernel import SEARCHES, estimate_kernel
from enhance_cli.imaging.blurriness import estimate_blur
from enhance_cli.imaging.colour import to_float
from enhance_cli.imaging.files import read
from enhance_cli.imaging.survey import LUMA

SIDE = 400
LENGTHS = (4, 6, 8, 11, 14, 17, 20, 25)
MOST_GAIN, LEAST_GAIN = 9.0, -4.0
"""The gain that is foretold is bounded: how much worse a spoilt picture is does not matter."""


def psnr(x, y) -> float:
    return float(10 * np.log10(1 / max(np.square(x.clip(0, 1) - y).mean(), 1e-9)))


def cases(folder: Path, count: int, seed: int):
    """Blurred and clean pictures, uint8, and the name of the blur."""
    files = sorted(path for path in folder.rglob("*") if path.suffix in (".png", ".jpg", ".webp"))
    rng = np.random.default_rng(seed)
    for number in range(count):
        clean = read(files[rng.integers(len(files))]).pixels
        factor = rng.choice([1, 0.7, 0.5])
        clean = cv2.resize(clean, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        top, left = (int(rng.integers(0, max(1, n - SIDE))) for n in clean.shape[:2])
        clean = np.ascontiguousarray(clean[top : top + SIDE, left : left + SIDE])
        kind = rng.choice(["shake", "straight", "focus", "sharp"], p=[0.6, 0.15, 0.15, 0.1])
        if kind == "shake":
            kernel = kernel_of(camera_path(np.random.default_rng((seed, number)), float(rng.choice(LENGTHS))))
        elif kind == "straight":
            kernel = motion_kernel(seed * 1000 + number, size=15 if rng.random() < 0.5 else 31)
        elif kind == "focus":
            kernel = focus_kernel(seed * 1000 + number)
        else:
            kernel = np.ones((1, 1), np.float32)
        blurred = blur(clean, kernel)
        noise = rng.choice([0, 0, 1, 2.5]) * rng.standard_normal(blurred.shape)
        blurred = np.clip(np.rint(blurred + noise), 0, 255).astype(np.uint8)
        if rng.random() < 0.2:
            coded = cv2.imencode(".jpg", blurred, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(80, 97))])[1]
            blurred = cv2.imdecode(coded, cv2.IMREAD_COLOR)
        yield str(kind), blurred, clean


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    settings = EngineSettings(device="cpu", unchecked=True)
    denoiser = Restorer(from_catalog(catalog.find("unet-denoise-rgb")), settings, task="denoise")
    features, gains, groups = [], [], []
    for number, (kind, blurred, clean) in enumerate(cases(arguments.data, arguments.count, arguments.seed)):
        # Nothing is looked for in what passes as sharp.
        if not estimate_blur(blurred).blurred or min(blurred.shape[:2]) < LEAST_SIDE:
            continue
        given, truth = to_float(blurred), to_float(clean)
        luma = np.ascontiguousarray(given @ LUMA)
        kernels = [estimate_kernel(luma, search) for search in SEARCHES]
        sharp = [deconvolved(given, kernel, denoiser.restore_plane) for kernel in kernels]
        features.append(fit_features(luma, [np.ascontiguousarray(one @ LUMA) for one in sharp], kernels))
        before = psnr(given, truth)
        gains.append([psnr(one, truth) - before for one in sharp])
        groups += [number] * len(SEARCHES)
        line = " ".join(f"{gain:+.1f}" for gain in gains[-1])
        print(number, kind, f"{before:.1f}", line, file=sys.stderr, flush=True)
    x, y, group = np.concatenate(features), np.concatenate(gains), np.array(groups)
    weights = np.linalg.lstsq(x, y.clip(LEAST_GAIN, MOST_GAIN), rcond=None)[0]
    foretold = x @ weights
    chosen = [max(np.flatnonzero(group == one), key=foretold.__getitem__) for one in sorted(set(groups))]
    print("weights", ", ".join(f"{weight:.3f}" for weight in weights))
    for least in (0, 0.5, 1, 1.5, 2, 3):
        taken = [y[one] for one in chosen if foretold[one] >= least]
        print(
            f"from {least} dB foretold: {len(taken)} of {len(chosen)}, mean {np.mean(taken):+.2f}, "
            f"worst {min(taken):+.2f}, worse than before {sum(gain < 0 for gain in taken)}"
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
