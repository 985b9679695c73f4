"""What `estimate_noise` and `estimate_blur` find in published pictures, clean and with known damage."""

import argparse
import resource
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
from child import REPO, UNIT
from drawn_damage import blurred, camera_noise, jpeg, kernel, read, white_noise, width

sys.path.insert(0, str(REPO))

from enhance_cli.imaging.blurriness import estimate_blur
from enhance_cli.imaging.noise import estimate_noise

SETS = ("BSD100", "Set14", "LIVE1", "Set5", "Classic5", "Set12")
SIGMAS = (2, 5, 10, 25, 50, 75)
QUALITIES = (60, 75, 90, 95)
KINDS = ("gauss", "disc", "line", "shake")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-root", type=Path, required=True, help="the folder that holds test/")
    parser.add_argument("--every", type=int, default=1, help="take every so-manieth picture of a set")
    arguments = parser.parse_args()
    test = arguments.data_root / "test"

    def pictures(name):
        return [read(path) for path in sorted((test / name).iterdir())[:: arguments.every]]

    noise_kinds(pictures)
    blur(pictures, np.load(test / "kernels" / "levin09.npz"))
    cost(pictures("LIVE1")[0])


def noise_kinds(pictures):
    print("| pictures | number | none | white | camera | sigma by the true one: least, middle, most |")
    print("|---|---|---|---|---|---|")
    for name in SETS:
        row(name, pictures(name))
    row("PolyU, means of many", pictures("real_noise_polyu/clean"))
    row("PolyU, noisy", pictures("real_noise_polyu/noisy"))
    for name in ("CBSD68", "BSD68", "Set12"):
        clean = pictures(name)
        for sigma in SIGMAS:
            row(f"{name}, white {sigma}", drawn(white_noise, clean, sigma), sigma)
    clean = pictures("CBSD68")
    for quality in QUALITIES:
        noisy = [jpeg(x, quality, subsampled=True) for x in drawn(white_noise, clean, 15)]
        row(f"CBSD68, white 15, 4:2:0 quality {quality}", noisy, 15)
    row("CBSD68, camera noise drawn", drawn(camera_noise, clean))
    row("likewise, quality 80", [jpeg(x, 80, subsampled=True) for x in drawn(camera_noise, clean)])


def drawn(damage, clean, *strength):
    return [damage(x, *strength, np.random.default_rng(number)) for number, x in enumerate(clean)]


def row(name, pictures, sigma=None):
    found = [estimate_noise(x) for x in pictures]
    kinds = Counter(one.kind for one in found)
    ratios = [one.sigma / sigma for one in found if one.kind == "white"] if sigma else []
    told = "{:.2f} {:.2f} {:.2f}".format(*np.quantile(ratios, (0, 0.5, 1))) if ratios else ""
    print(
        f"| {name} | {len(found)} | {kinds['none']} | {kinds['white']} | {kinds['camera']} | {told} |",
        flush=True,
    )


def blur(pictures, levin):
    print("\n| pictures | number | blurred | width by the true one: a tenth below, middle, a tenth above |")
    print("|---|---|---|---|")
    for name in (*SETS, "real_noise_polyu/clean", "real_noise_polyu/noisy"):
        blur_row(f"{name}, as they are", [(x, None) for x in pictures(name)])
    clean = pictures("BSD100") + pictures("Set14")
    for number in range(len(levin)):
        blur_row(f"BSD100 and Set14, Levin {number + 1}", [(x, levin[f"k{number}"]) for x in clean])
    for kind in KINDS:
        rngs = [np.random.default_rng(number) for number in range(len(clean))]
        blur_row(
            f"BSD100 and Set14, {kind}", [(x, kernel(kind, rng)) for x, rng in zip(clean, rngs, strict=True)]
        )


def blur_row(name, pairs):
    found = [estimate_blur(x if k is None else blurred(x, k)) for x, k in pairs]
    count = sum(one.blurred for one in found)
    ratios = [
        one.width / width(k)
        for one, (_, k) in zip(found, pairs, strict=True)
        if one.blurred and k is not None
    ]
    told = "{:.2f} {:.2f} {:.2f}".format(*np.quantile(ratios, (0.1, 0.5, 0.9))) if ratios else ""
    print(f"| {name} | {len(found)} | {count} | {told} |", flush=True)


def cost(picture):
    large = np.tile(picture, (8, 6, 1))[:3000, :4000]
    for estimate in (estimate_noise, estimate_blur):
        estimate(large)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        start = time.process_time()
        estimate(large)
        seconds = time.process_time() - start
        print(
            f"\n{estimate.__name__}: {large.shape[0] * large.shape[1] / 1e6:.1f} megapixels {seconds:.2f} s"
        )
        print(f"peak memory of this process {before / UNIT:.0f} MB")


if __name__ == "__main__":
    main()
