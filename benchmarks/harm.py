"""Whether `deblur` can tell a harmful result by itself: fits the criterion of `engine/harm.py` on training
pictures, and checks it on Set14 with Levin's kernels."""

import argparse
import sys
from pathlib import Path

import numpy as np
from child import REPO
from drawn_damage import blurred, read, white_noise

sys.path.insert(0, str(REPO))

from enhance_cli.checkpoints.catalog import catalog
from enhance_cli.checkpoints.reader import load_file
from enhance_cli.checkpoints.wanted import Wanted
from enhance_cli.degrade.shake import kernel_of, shake_kernel
from enhance_cli.engine import harm
from enhance_cli.engine.restorer import Restorer
from enhance_cli.engine.settings import EngineSettings
from enhance_cli.engine.sources import from_catalog
from enhance_cli.imaging.picture import Picture

SIDE, FOLDS, LINE = 256, 5, 14
MOST_GAIN = 0.7
"""In dB; more says nothing on which side a picture lies."""
SUFFIXES = {".png", ".jpg", ".webp"}
CPU = EngineSettings(device="cpu", threads=1)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--data-root", type=Path, required=True, help="the folder that holds train/ and test/"
    )
    parser.add_argument("--weights", type=Path, nargs="*", default=[], help="further weights, for deblur")
    parser.add_argument("--pictures", type=int, default=14, help="of each training pack")
    parser.add_argument("--check", action="store_true", help="do not fit: check the criterion as it is")
    arguments = parser.parse_args()
    networks = {
        one.name: Restorer(from_catalog(one), CPU, task="deblur") for one in catalog() if one.task == "deblur"
    }
    for path in arguments.weights:
        networks[path.stem] = Restorer.of(load_file(path, Wanted(task="deblur")), CPU)
    print("| weights | pictures | gain before, after, best | lost | kept of gains | worst |")
    print("|---|---|---|---|---|---|")
    if arguments.check:
        check(arguments.data_root / "test", networks)
    else:
        fit(arguments.data_root / "train", arguments.pictures, networks)


def fit(folder, count, networks):
    """Print the weights, and what they bring on pictures that they were not fitted to."""
    rows = []
    for number, clean in enumerate(training_pictures(folder, count)):
        for kernel in (shake_kernel(900_000 + number), line(number)):
            given = blurred(clean, kernel)
            if number % 2:
                rng = np.random.default_rng(number)
                given = white_noise(given, rng.uniform(0, 3), rng)
            for name, restorer in networks.items():
                result = restorer.restore(Picture(given)).picture.pixels
                features = harm.harm_features(given, result)
                if features is not None:
                    rows.append((number % FOLDS, name, features, gain(given, result, clean)))
    folds, names, features, gains = (np.array(column) for column in zip(*rows, strict=True))
    foretold = np.zeros(len(gains))
    for fold in range(FOLDS):
        foretold[folds == fold] = features[folds == fold] @ fitted(
            features[folds != fold], gains[folds != fold]
        )
    for name in networks:
        tell(name, gains[names == name], foretold[names == name] >= 0)
    print("weights", np.round(fitted(features, gains), 3).tolist())


def check(folder, networks):
    levin = np.load(folder / "kernels" / "levin09.npz")
    pictures = [read(path) for path in sorted((folder / "Set14").iterdir())]
    for name, restorer in networks.items():
        gains, kept = [], []
        for kernel in levin.files:
            here = []
            for clean in pictures:
                given = blurred(clean, levin[kernel])
                result = restorer.restore(Picture(given)).picture.pixels
                boxes = harm.probes(given)
                pairs = [(given[box.rows, box.columns], result[box.rows, box.columns]) for box in boxes]
                here.append((gain(given, result, clean), not harm.is_harmful(pairs)))
            tell(f"{name}, {kernel}", *(np.array(column) for column in zip(*here, strict=True)))
            gains += [one for one, _ in here]
            kept += [one for _, one in here]
        tell(name, np.array(gains), np.array(kept))


def tell(name, gains, kept):
    after = gains * kept
    lost = f"{-gains[gains < 0].sum():.2f} -> {-after[after < 0].sum():.2f}"
    won = f"{gains[gains > 0].sum():.2f} -> {after[after > 0].sum():.2f}"
    best = np.maximum(gains, 0).mean()
    print(
        f"| {name} | {len(gains)} | {gains.mean():.3f} {after.mean():.3f} {best:.3f} | {lost} | {won} "
        f"| {gains.min():.2f} -> {after.min():.2f} |",
        flush=True,
    )


def fitted(features, gains):
    target = gains.clip(-MOST_GAIN, MOST_GAIN)
    ridge = 0.005 * np.diag([1, 1, 1, 0])
    return np.linalg.solve(features.T @ features + ridge, features.T @ target)


def gain(given, result, clean):
    """In PSNR, of the result over the input."""
    before, after = (np.square(x.astype(np.float64) - clean).mean() for x in (given, result))
    return 10 * np.log10(max(before, 0.01) / max(after, 0.01))


def training_pictures(folder, count):
    for pack in sorted(path for path in folder.iterdir() if path.is_dir()):
        files = sorted(path for path in pack.rglob("*") if path.suffix.lower() in SUFFIXES)
        for path in files[7 :: max(1, len(files) // count)][:count]:
            clean = read(path)
            top, left = ((n - SIDE) // 2 for n in clean.shape[:2])
            if min(top, left) >= 0 and clean.shape[2] == 3:
                yield np.ascontiguousarray(clean[top : top + SIDE, left : left + SIDE])


def line(number):
    """The kernel of a straight movement in a direction drawn for it."""
    angle = np.random.default_rng(number).uniform(0, np.pi)
    return kernel_of(np.linspace(-LINE / 2, LINE / 2, 600) * np.array([[np.sin(angle)], [np.cos(angle)]]))


if __name__ == "__main__":
    main()
