"""Pictures of one size, cut from photographs."""

import itertools
import random
from pathlib import Path

import numpy as np
from child import PICTURES
from PIL import Image

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"}
STEP = 16
"""Sides are multiples of it, so that no network needs more than it is given."""


def size_of(megapixels: float) -> tuple[int, int]:
    """Width and height of about so many, 4 to 3."""
    height = max(STEP, round((megapixels * 1e6 * 3 / 4) ** 0.5 / STEP) * STEP)
    return round(height * 4 / 3 / STEP) * STEP, height


def make(folder: Path, count: int, size: tuple[int, int], *, gray: bool, source: Path | None = None) -> None:
    """Write `count` PNG files, cut from the pictures in `source` (the examples if None); always the same."""
    paths = (
        PICTURES if source is None else sorted(p for p in source.rglob("*") if p.suffix.lower() in SUFFIXES)
    )
    found = list(itertools.islice((p for p in paths if gray or _is_coloured(p)), count))
    if not found:
        raise SystemExit(f"no {'' if gray else 'coloured '}pictures in {source}")
    folder.mkdir(parents=True)
    for number in range(count):
        picture = Image.open(found[number % len(found)]).convert("L" if gray else "RGB")
        cut(picture, size, random.Random(number)).save(folder / f"{number:03}.png")


def _is_coloured(path: Path) -> bool:
    # `enhance` has a gray picture in three channels stay gray, which others do not.
    red, green, blue = Image.open(path).convert("RGB").split()
    return red != green or green != blue


def cut(picture: Image.Image, size: tuple[int, int], chance: random.Random) -> Image.Image:
    """A part of that size from anywhere in the picture, which is mirrored on where it is too small."""
    pixels = np.asarray(picture)
    height, width = pixels.shape[:2]
    missing = (max(0, size[1] - height), max(0, size[0] - width))
    pixels = np.pad(pixels, [(0, n) for n in missing] + [(0, 0)] * (pixels.ndim - 2), mode="symmetric")
    top, left = (chance.randint(0, a - b) for a, b in zip(pixels.shape[:2], size[::-1], strict=True))
    return Image.fromarray(pixels[top : top + size[1], left : left + size[0]])
