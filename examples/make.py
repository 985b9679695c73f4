"""Makes the degraded example pictures from reference/, always the same: python examples/make.py [FOLDER]"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image

from enhance_cli.degrade.bicubic import shrink
from enhance_cli.degrade.blur import blur, motion_kernel
from enhance_cli.degrade.noise import add_noise

HERE = Path(__file__).resolve().parent
JPEG_QUALITY = {"astronaut": 10, "camera": 10, "cat": 15, "coffee": 20}
SIGMA = {"camera": 25, "cat": 25}
KERNEL_SEED = {"camera": 1, "coffee": 2}


def make(reference: Path, out: Path) -> None:
    """Write sr/, dejpeg/, denoise/ and deblur/ below `out` from the clean pictures in `reference`."""
    for number, path in enumerate(sorted(reference.glob("*.png"))):
        name, picture = path.stem, Image.open(path)
        clean = np.asarray(picture).reshape(picture.height, picture.width, -1)
        save_png(shrink(clean, 4), out / "sr" / path.name)
        save_jpeg(picture, out / "dejpeg" / f"{name}.jpg", JPEG_QUALITY[name])
        if name in SIGMA:
            noisy = add_noise(clean, SIGMA[name], seed=number)
            save_png(np.clip(np.rint(noisy), 0, 255).astype(np.uint8), out / "denoise" / path.name)
        if name in KERNEL_SEED:
            save_png(blur(clean, motion_kernel(KERNEL_SEED[name])), out / "deblur" / path.name)


def save_png(pixels: np.ndarray, path: Path) -> None:
    """Write (H, W, 1 or 3) uint8."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).save(path, optimize=True)


def save_jpeg(picture: Image.Image, path: Path, quality: int) -> None:
    """Write with the chroma at half size, as cameras and web sites do."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, quality=quality, subsampling="4:2:0" if picture.mode == "RGB" else -1)


if __name__ == "__main__":
    make(HERE / "reference", Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
