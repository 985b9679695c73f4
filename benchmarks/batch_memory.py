"""Does memory grow with the batch?  Peak memory of `enhance` over 20 and over 200 pictures, and their ratio.

    python benchmarks/batch_memory.py [ARGUMENTS]      # default: sr --scale 4

The 200 pictures are of the same 20 sizes, 40 to 200 pixels a side, ten times over.
"""

import random
import sys
import tempfile
from pathlib import Path

from child import PICTURES, enhance
from PIL import Image

SIZES = 20


def make(folder: Path, count: int) -> None:
    """Crops of the example pictures; the first 20 of every count are the same."""
    folder.mkdir()
    pictures = [Image.open(path).convert("RGB") for path in PICTURES]
    for number in range(count):
        chance = random.Random(number % SIZES)
        picture = pictures[number % len(pictures)]
        width, height = (chance.randint(40, min(200, side)) for side in picture.size)
        left, top = chance.randint(0, picture.width - width), chance.randint(0, picture.height - height)
        picture.crop((left, top, left + width, top + height)).save(folder / f"{number:03}.png")


def main() -> None:
    arguments = sys.argv[1:] or ["sr", "--scale", "4"]
    print(f"{'pictures':>8} {'peak MB':>8} {'seconds':>8} {'exit':>5}   enhance {' '.join(arguments)}")
    peaks = []
    for count in (SIZES, 10 * SIZES):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            make(folder / "in", count)
            taken = enhance(*arguments, folder / "in", folder / "out")
        peaks.append(taken.megabytes)
        print(f"{count:8} {taken.megabytes:8.0f} {taken.seconds:8.1f} {taken.code:5}")
    print(f"{'ratio':>8} {peaks[1] / peaks[0]:8.2f}")


if __name__ == "__main__":
    main()
