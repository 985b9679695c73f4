"""Fits the numbers of `imaging/noise_evidence.json` and `imaging/blurriness.py` on the training packs."""

import argparse
import json
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import torch
from child import REPO
from drawn_damage import blurred, camera_noise, jpeg, kernel, read, white_noise, width

sys.path.insert(0, str(REPO))

from enhance_cli.imaging.blurriness import blur_features
from enhance_cli.imaging.noise_evidence import SIDE, block_features, evidence
from enhance_cli.imaging.survey import blocks, surveyed

HIDDEN = 12
QUALITIES = (65, 98)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-root", type=Path, required=True, help="the folder that holds train/")
    parser.add_argument("--every", type=int, default=4, help="take every so-manieth picture")
    arguments = parser.parse_args()
    packs = arguments.data_root / "train"
    paths = sorted(p for p in packs.rglob("*") if p.suffix in {".jpg", ".webp"} and "t91" not in p.parts)
    paths = paths[:: arguments.every]
    pictures = [read(path) for path in paths]
    for fit in (fit_blur, fit_noise):
        fit(pictures, [np.random.default_rng(zlib.crc32(path.name.encode())) for path in paths])


def crop(pixels, rng, side):
    top, left = (rng.integers(0, max(1, length - side + 1)) for length in pixels.shape[:2])
    return np.ascontiguousarray(pixels[top : top + side, left : left + side])


def perhaps_jpeg(pixels, rng, share):
    if rng.random() >= share:
        return pixels
    return jpeg(pixels, int(rng.integers(*QUALITIES)), subsampled=rng.random() < 0.7)


def fit_noise(pictures, rngs):
    """Blocks of clean pictures, sharp and soft, as PNG and JPEG, against blocks of noise above 1 level."""
    clean, noisy, clean_pictures = [], [], []
    for pixels, rng in zip(pictures, rngs, strict=True):
        pixels = crop(pixels, rng, 384)
        pixels = pixels[: pixels.shape[0] // 2 * 2, : pixels.shape[1] // 2 * 2]
        if pixels.shape[2] == 1:
            continue
        if rng.random() < 0.5:
            pixels = cv2.GaussianBlur(pixels, (0, 0), rng.uniform(0.4, 1.4))
        for share in (0, 1, 1):
            tiles = surveyed(perhaps_jpeg(pixels, rng, share), 64, 8)
            clean_pictures.append(tiles)
            found = block_features(tiles)
            clean.append(found[rng.permutation(len(found))[:60]])
        # White noise in JPEG is left out: with it, fine textures were taken for noise three times as often.
        for _ in range(3):
            damaged = perhaps_jpeg(camera_noise(pixels, rng), rng, 0.8)
            tiles = surveyed(damaged, 64, 8)
            difference = tiles.mean(3) - surveyed(pixels, 64, 8).mean(3)
            strong = blocks(difference[None], SIDE)[0].std((1, 2)) > 1
            seen = (
                blocks(((tiles <= 0) | (tiles >= 255)).any(3)[None].astype(np.float32), SIDE)[0].mean((1, 2))
                < 0.1
            )
            found = block_features(tiles, everything=True)[strong & seen]
            noisy.append(found[rng.permutation(len(found))[:60]])
    write_network(np.concatenate(clean), np.concatenate(noisy))
    odds = [found for tiles in clean_pictures if (found := evidence(tiles)) is not None]
    print(
        "evidence of clean training pictures, quantiles 0.9 0.95 0.98:",
        np.quantile(odds, (0.9, 0.95, 0.98)).round(2),
    )


def write_network(clean, noisy):
    torch.manual_seed(0)
    torch.set_num_threads(1)
    features = torch.from_numpy(np.concatenate([clean, noisy]))
    answers = torch.cat([torch.zeros(len(clean)), torch.ones(len(noisy))])
    mean, spread = features.mean(0), features.std(0)
    network = torch.nn.Sequential(
        torch.nn.Linear(features.shape[1], HIDDEN), torch.nn.Tanh(), torch.nn.Linear(HIDDEN, 1)
    )
    loss = torch.nn.BCEWithLogitsLoss(pos_weight=torch.tensor(len(clean) / len(noisy)))
    optimiser = torch.optim.AdamW(network.parameters(), weight_decay=1e-2)
    steps = 1000
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-2, steps)
    for _ in range(steps):
        chosen = torch.randint(len(features), (4096,))
        optimiser.zero_grad()
        loss(network((features[chosen] - mean) / spread)[:, 0], answers[chosen]).backward()
        optimiser.step()
        schedule.step()
    inner, outer = network[0], network[2]
    weight = inner.weight.detach() / spread
    numbers = {
        "inner": weight.tolist(),
        "inner_bias": (inner.bias.detach() - weight @ mean).tolist(),
        "outer": outer.weight.detach()[0].tolist(),
        "outer_bias": float(outer.bias.detach()),
    }
    rounded = json.loads(json.dumps(numbers), parse_float=lambda text: round(float(text), 4))
    path = REPO / "enhance_cli" / "imaging" / "noise_evidence.json"
    path.write_text(json.dumps(rounded).replace("], ", "],\n") + "\n")


def fit_blur(pictures, rngs):
    """Sharp pictures, some of them noisy or JPEG, against those blurred by at least 0.7 pixels."""
    rows, widths = [], []
    for pixels, rng in zip(pictures, rngs, strict=True):
        pixels = crop(pixels, rng, 512)
        kinds = ["gauss", "disc", "line", "shake", "shake"]
        blurs = [kernel(kind, rng, 0.7) for kind in rng.permutation(kinds)[:3]]
        for blur in (None, None, *blurs):
            damaged = pixels if blur is None else blurred(pixels, blur)
            if rng.random() < 0.3:
                damaged = white_noise(damaged, rng.uniform(0, 3), rng)
            found = blur_features(perhaps_jpeg(damaged, rng, 0.3))
            if found is not None:
                rows.append(found)
                widths.append(0 if blur is None else width(blur))
    features, widths = np.array(rows), np.array(widths)
    answers = widths > 0
    weights = logistic(features, answers.astype(float))
    # One in 33 sharp training pictures may be taken for blurred.
    weights[-1] -= np.quantile(features[~answers] @ weights, 0.97)
    known = features[answers]
    by_width = np.linalg.solve(known.T @ known + 0.1 * np.eye(17), known.T @ np.log(widths[answers]))
    print("_BLURRED =", tuple(weights.round(3).tolist()))
    print("_WIDTH =", tuple(by_width.round(3).tolist()))
    print("found of the blurred:", ((features[answers] @ weights) > 0).mean().round(3))


def logistic(features, answers):
    """Weights of a logistic regression in which both answers count alike, slightly drawn towards 0."""
    mean, spread = features.mean(0), features.std(0)
    mean[-1], spread[-1] = 0, 1
    scaled = torch.from_numpy((features - mean) / spread)
    target = torch.from_numpy(answers)
    share = target.mean()
    balance = torch.where(target > 0, 0.5 / share, 0.5 / (1 - share))
    weights = torch.zeros(features.shape[1], dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([weights], max_iter=500, line_search_fn="strong_wolfe")

    def loss():
        optimiser.zero_grad()
        odds = scaled @ weights
        errors = torch.nn.functional.binary_cross_entropy_with_logits(odds, target, balance, reduction="sum")
        total = errors + 0.05 * weights[:-1].square().sum()
        total.backward()
        return total

    optimiser.step(loss)
    found = weights.detach().numpy() / spread
    found[-1] -= found[:-1] @ mean[:-1]
    return found


if __name__ == "__main__":
    main()
