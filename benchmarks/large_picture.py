"""Does a large picture fit?  Peak memory and time of a JPEG of 48 megapixels through each kind of task.

    python benchmarks/large_picture.py [ARGUMENTS]     # such as --threads 2, for all tasks

The picture is 8000 x 6000, laid with enlarged example pictures. On a CPU this takes many minutes.
"""

import sys
import tempfile
from pathlib import Path

from child import PICTURES, enhance
from PIL import Image

WIDTH, HEIGHT, CELL = 8000, 6000, 500
TASKS = (("denoise",), ("dejpeg",), ("sr", "--scale", 2), ("sr", "--scale", 4))


def make(path: Path) -> None:
    """A JPEG of quality 75."""
    cells = [
        Image.open(one).convert("RGB").resize((CELL, CELL), Image.Resampling.BICUBIC) for one in PICTURES
    ]
    picture = Image.new("RGB", (WIDTH, HEIGHT))
    corners = [(left, top) for top in range(0, HEIGHT, CELL) for left in range(0, WIDTH, CELL)]
    for number, corner in enumerate(corners):
        picture.paste(cells[(number + number // 8) % len(cells)], corner)
    picture.save(path, quality=75)


def main() -> None:
    print(f"{'task':14} {'peak MB':>8} {'seconds':>8} {'exit':>5}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make(folder / "in.jpg")
        for task in TASKS:
            taken = enhance(*task, *sys.argv[1:], folder / "in.jpg", folder / f"{task[0]}.png")
            words = " ".join(map(str, task))
            print(f"{words:14} {taken.megabytes:8.0f} {taken.seconds:8.1f} {taken.code:5}", flush=True)


if __name__ == "__main__":
    main()
