"""The pictures in the model cards: what a network makes of our own example pictures, crop by crop."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from enhance_cli.bench.protocols.blur import CameraShake, MotionBlur
from enhance_cli.bench.protocols.contract import Setting
from enhance_cli.bench.protocols.jpeg import JpegColour, JpegLuma, PhotoJpeg
from enhance_cli.bench.protocols.mosaic import Mosaic
from enhance_cli.bench.protocols.noise import CameraNoise, Noise
from enhance_cli.bench.protocols.sr import PhotoSr, SuperResolution
from enhance_cli.bench.run import restore
from enhance_cli.checkpoints.catalog import PHOTO, Weights, of_tier
from enhance_cli.checkpoints.reader import load_weights
from enhance_cli.engine.restorer import Restorer
from enhance_cli.engine.settings import EngineSettings
from enhance_cli.imaging.files import read
from enhance_cli.metrics.measure import EightBit

ROOT = Path(__file__).parents[1]
COLOUR = (("astronaut", 84, 110), ("cat", 36, 120))
GRAY = (("camera", 46, 158), ("camera", 196, 186))
"""An example picture, and the top and left of the crop that is shown of it."""
SIDE, ZOOM = 56, 3
ENGINE = EngineSettings(device="cpu", precision="float32", backend="torch", threads=1)
"""One arithmetic, so that the same weights give the same picture."""


def path_of(weights: Weights) -> Path:
    """Outside of weights/, and so outside of the wheel."""
    return ROOT / "docs" / "pictures" / f"{weights.name}.webp"


def draw(weights: Weights) -> None:
    """Write two rows of crops, enlarged without smoothing: doing nothing, results, original."""
    restorers = [Restorer.of(load_weights(one), ENGINE) for one in shown_by(weights)]
    setting = setting_of(weights)
    in_gray = setting.gray or (weights.task == "denoise" and weights.colour == "gray")
    rows = [strip(restorers, setting, *crop) for crop in (GRAY if in_gray else COLOUR)]
    sheet = np.concatenate(rows).repeat(ZOOM, axis=0).repeat(ZOOM, axis=1)
    path_of(weights).parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(sheet.squeeze()).save(path_of(weights), lossless=True, quality=100, method=6)


def shown_by(weights: Weights) -> list[Weights]:
    """Whose results: models for photographs stand beside the usual one."""
    usual = [of_tier("default", weights.task, scale=weights.scale, gray=False)] * (weights.tier == PHOTO)
    return [*usual, weights]


def setting_of(weights: Weights) -> Setting:
    """Of the damage that the cards score, a strong one."""
    match weights.task:
        case "sr" if weights.tier == PHOTO:
            return PhotoSr(weights.scale)
        case "dejpeg" if weights.tier == PHOTO:
            return PhotoJpeg(30)
        case "sr":
            # Weights for every scale say 1.
            return SuperResolution(weights.scale if weights.scale > 1 else 4)
        case "dejpeg":
            return JpegColour(10) if weights.colour == "rgb" else JpegLuma(10)
        case "denoise" if weights.tier == PHOTO:
            return CameraNoise()
        case "denoise":
            return Noise(25, "awgn-8bit")
        case "deblur" if "shake" in weights.name:
            return CameraShake()
        case "deblur":
            return MotionBlur()
    return Mosaic()


def strip(restorers: Sequence[Restorer], setting: Setting, name: str, top: int, left: int) -> EightBit:
    """Doing nothing, results and original side by side, (SIDE, width, C)."""
    clean = np.asarray(read(ROOT / "examples" / "reference" / f"{name}.png").pixels, np.uint8)
    case = setting.degrade(clean, seed=1)
    results = [restore(restorer, case, setting) for restorer in restorers]
    shown = (case.baseline, *results, case.reference)
    crops = [np.asarray(one, np.uint8)[top : top + SIDE, left : left + SIDE] for one in shown]
    return np.concatenate(crops, axis=1)
