"""How far honest results of all shipped weights are from their inputs, and what spoilt ones look like to the
check that refuses them."""

import argparse
import hashlib
import io
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from child import REPO
from drawn_damage import blurred, camera_noise, white_noise
from PIL import Image

sys.path.insert(0, str(REPO))
sys.path.insert(0, str(REPO / "tests"))

from broken_networks import WAYS, break_weights

from enhance_cli.checkpoints.catalog import catalog
from enhance_cli.checkpoints.reader import load_weights
from enhance_cli.degrade.blur import motion_kernel
from enhance_cli.degrade.shake import shake_kernel
from enhance_cli.engine import check
from enhance_cli.engine.network import TiledNetwork
from enhance_cli.engine.restorer import Restorer
from enhance_cli.engine.settings import EngineSettings
from enhance_cli.engine.sources import from_catalog
from enhance_cli.errors import ReadError
from enhance_cli.imaging.files import read
from enhance_cli.imaging.picture import Picture
from enhance_cli.imaging.resize import imresize
from enhance_cli.tasks import TASKS

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".tif", ".gif", ".avif"}
DAMAGE = {
    "sr": ("small",),
    "dejpeg": (5, 10, 40),
    "denoise": (15, 25, 50, 75, "camera"),
    "deblur": ("motion", "levin", "shake"),
    "demosaic": ("mosaic",),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-root", type=Path, required=True, help="the folder that holds test/")
    parser.add_argument("--more", type=Path, nargs="*", default=[], help="folders of further pictures")
    parser.add_argument("--side", type=int, default=256, help="of the middle part that is taken")
    parser.add_argument("--every", type=int, default=1, help="take every so-manieth picture")
    parser.add_argument("--broken", type=int, default=0, help="networks to make of each by random weights")
    parser.add_argument("--only", default="", help="weights whose names hold this")
    arguments = parser.parse_args()
    test = arguments.data_root / "test"
    files = [path for name in ("Set14", "LIVE1", "Classic5") for path in sorted((test / name).iterdir())]
    files += sorted((test / "BSD100").iterdir())[::4]
    for folder in (*arguments.more, REPO / "examples"):
        files += sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    levin = np.load(test / "kernels" / "levin09.npz")
    kernels = [levin[name] for name in levin.files]
    read_parts = (middle(path, arguments.side) for path in files[:: arguments.every])
    pictures = [part for part in read_parts if part is not None and part.size]
    print(f"{len(pictures)} pictures")
    heads = "results | drift | spot | contrast | roughness | pattern | refused"
    print(f"| weights | damage | {heads} | spoilt, passed |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for weights in catalog():
        if arguments.only in weights.name:
            for damage in DAMAGE[weights.task]:
                row(weights, damage, pictures, kernels)
            for way in WAYS[: len(WAYS) * bool(arguments.broken)]:
                broken_row(weights, way, arguments.broken, pictures, kernels)


def row(weights, damage, pictures, kernels):
    """The extremes over honest results, and which share of spoilt ones passes."""
    engine = EngineSettings(device="cpu", threads=1)
    restorer = Restorer(from_catalog(weights), engine, task=weights.task, trained=weights.condition_range)
    seen = []
    TiledNetwork._fault_of = lambda self, x, y, core: seen.append((x[..., core.rows, core.columns], y))
    for number, clean in enumerate(pictures):
        given = damaged(clean, weights, damage, number, kernels)
        if given is None:
            continue
        told = damage if isinstance(damage, int) else 15
        enlarged = {"scale": 2.0} if restorer.spec.pre_upsampled and weights.task == "sr" else {}
        condition = None if restorer.spec.condition is None else float(told)
        restorer.restore(Picture(given), condition=condition, **enlarged)
    task = TASKS[weights.task]
    found, refused, missed, large = [], [], {}, 0
    for x, y in seen:
        x = check.filled_mosaic(x) if task.mosaic else x
        found.append(check.Comparison.of(x, y, task.changes.reach))
        if fault := check.fault_of(x, y, task):
            refused.append(fault)
        if x.shape[2] * x.shape[3] >= 64**2:
            large += 1
            for name, bad in spoilt(y, np.random.default_rng(len(found))):
                missed.setdefault(name, []).append(check.fault_of(x, bad, task) is None)
    # 1 is the limit.
    pattern = max(min(one.pattern / check.PATTERN, one.pattern_share / check.PATTERN_SHARE) for one in found)
    shares = ", ".join(f"{name} {sum(those)} of {len(those)}" for name, those in missed.items() if any(those))
    print(
        f"| {weights.name} | {damage} | {len(found)} | {max(one.drift for one in found):.3f} "
        f"| {max(one.spot for one in found):.3f} | {min(one.contrast for one in found):.2f} "
        f"| {max(one.roughness for one in found):.2f} "
        f"| {pattern:.2f} "
        f"| {len(refused)} {refused[:1]} | {shares or 'none'} |",
        flush=True,
    )


def broken_row(weights, way, n_seeds, pictures, kernels):
    """Which share of the results of networks with wrong weights is refused."""
    damage, task = DAMAGE[weights.task][len(DAMAGE[weights.task]) // 2], TASKS[weights.task]
    seen = []
    TiledNetwork._fault_of = lambda self, x, y, core: seen.append((x[..., core.rows, core.columns], y))
    for seed in range(n_seeds):
        net = load_weights(weights)
        break_weights(net.module, way, seed)
        # Under a name of its own: nothing that was prepared for the whole network may serve.
        digest = hashlib.sha256(f"{weights.name} {way} {seed}".encode()).hexdigest()
        engine = EngineSettings(device="cpu", threads=1, backend="torch")
        restorer = Restorer.of(replace(net, sha256=digest), engine)
        for number, clean in list(enumerate(pictures))[seed::n_seeds]:
            given = damaged(clean, weights, damage, number, kernels)
            told = (
                None if restorer.spec.condition is None else float(damage if isinstance(damage, int) else 15)
            )
            if given is not None:
                enlarged = {"scale": 2.0} if restorer.spec.pre_upsampled and weights.task == "sr" else {}
                restorer.restore(Picture(given), condition=told, **enlarged)
    faults = [check.fault_of(check.filled_mosaic(x) if task.mosaic else x, y, task) for x, y in seen]
    n_refused = sum(fault is not None for fault in faults)
    print(f"| {weights.name} | random weights: {way} | {n_refused} of {len(faults)} refused |", flush=True)


def spoilt(y, rng):
    yield "all shifted by 61", y + np.float32(61 / 255)
    if y.shape[1] == 3:
        yield "red by 61", y + np.float32([61 / 255, 0, 0]).reshape(1, 3, 1, 1)
    half = y.copy()
    half[..., : y.shape[3] // 2] = 0
    yield "half black", half
    yield "constant", np.full_like(y, 0.5)
    yield "its own mean", np.broadcast_to(y.mean((2, 3), keepdims=True), y.shape).copy()
    # Where the picture is as bright, no one sees it.
    dark = y.max(1).max(0) < 0.5
    places = np.argwhere(cv2.erode(dark.astype(np.uint8), np.ones((7, 7), np.uint8), borderValue=0))
    if len(places):
        row, column = np.maximum(places[rng.integers(len(places))] - 3, 0)
        white = y.copy()
        white[..., row : row + 7, column : column + 7] = 1
        yield "7x7 white", white


def damaged(clean, weights, damage, number, kernels):
    """The input that is made of a clean picture; None where it is too small for that."""
    rng = np.random.default_rng(number)
    height, width = clean.shape[:2]
    if weights.task == "sr":
        scale = max(2, weights.scale)
        size = height // scale, width // scale
        return None if min(size) < 1 else imresize(clean[: size[0] * scale, : size[1] * scale], size)
    if weights.task == "dejpeg":
        file = io.BytesIO()
        Image.fromarray(clean[..., 0] if clean.shape[2] == 1 else clean).save(file, "JPEG", quality=damage)
        pixels = np.asarray(Image.open(file))
        return pixels.reshape(clean.shape)
    if weights.task == "denoise":
        if damage != "camera":
            return white_noise(clean, damage, rng)
        gray = clean.shape[2] == 1
        return camera_noise(clean.repeat(3, 2) if gray else clean, rng)[..., : 1 if gray else 3]
    if weights.task == "deblur":
        drawn = {"motion": motion_kernel, "shake": shake_kernel}
        return blurred(clean, drawn[damage](number) if damage in drawn else kernels[number % len(kernels)])
    mosaic = np.zeros_like(clean)
    if clean.shape[2] == 1:
        return None
    for (y, x), colour in (((0, 0), 0), ((0, 1), 1), ((1, 0), 1), ((1, 1), 2)):
        mosaic[y::2, x::2, colour] = clean[y::2, x::2, colour]
    return mosaic


def middle(path, side):
    try:
        picture = read(path)
    except ReadError:
        return None
    pixels = (picture.pixels // (picture.full_scale // 255)).astype(np.uint8)
    top, left = (max(0, (n - side) // 2) for n in pixels.shape[:2])
    part = pixels[top : top + side, left : left + side]
    return part[: len(part) // 2 * 2, : part.shape[1] // 2 * 2]


if __name__ == "__main__":
    main()
