"""What `import enhance_cli` offers: networks as functions from image to image.

Nothing here changes the process: no environment, no memory settings, no output.
"""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path
from typing import Any, Literal, TypeVar, overload

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from enhance_cli.batch.models import Models
from enhance_cli.batch.plan import Plan
from enhance_cli.batch.restoration import restoration_of
from enhance_cli.checkpoints.catalog import ENSEMBLED, Weights, catalog
from enhance_cli.engine.network import OnTile
from enhance_cli.engine.settings import EngineSettings
from enhance_cli.errors import UsageError
from enhance_cli.imaging import files
from enhance_cli.imaging.colour import from_float, to_float
from enhance_cli.imaging.files import EncodeOptions
from enhance_cli.imaging.mosaic import Pattern, as_mosaic
from enhance_cli.imaging.picture import Picture, joined
from enhance_cli.runtimes.contract import Backend, Precision
from enhance_cli.tasks import TASKS, Task

__all__ = ["Enhancer", "Picture", "list_models", "load", "read_image", "write_image"]

Given = TypeVar("Given")
PILLOW_MODES = {"1": "L", "L": "L", "LA": "LA", "RGB": "RGB", "RGBA": "RGBA", "CMYK": "RGB", "YCbCr": "RGB"}
"""What images of each mode are restored as; palettes are looked at, and 16-bit gray is kept."""


def load(
    task: Task,
    *,
    scale: float | None = None,
    size: tuple[int, int] | None = None,
    condition: float | None = None,
    strength: float = 1.0,
    pattern: Pattern | None = None,
    model: str | None = None,
    weights: str | os.PathLike[str] | None = None,
    device: str = "auto",
    precision: Literal["auto", Precision] = "auto",
    backend: Literal["auto", Backend] = "auto",
    tile: int | None = None,
    ensemble: bool = False,
    threads: int | None = None,
) -> Enhancer:
    """Get the networks of a task ready: "sr", "dejpeg", "denoise", "deblur" or "demosaic".

    scale, size: for "sr", the factor (2 if neither is given) or the exact (width, height) of results.
    condition: noise sigma 0..255 for "denoise", JPEG quality 1..100 for "dejpeg"; None finds it in the image.
    strength: share of the change that is made, 0..1.
    pattern: for "demosaic", the colours of the first 2x2 samples, such as "rggb".
    model: a name that `list_models` shows, or a tier: "fast", "default", "best" or "photo".
    weights: a file of weights instead, ours or their authors'.
    The others are those of the command line; see `EngineSettings`.

    UsageError and its subclasses for what cannot be: an unknown model, a device that is not there.
    """
    if task not in TASKS:
        raise UsageError(f"unknown task {task!r}; there are {', '.join(TASKS)}")
    spec = TASKS[task]
    if model is not None and weights is not None:
        raise UsageError("model and weights are both given; leave one out")
    if scale is not None and size is not None:
        raise UsageError("scale and size are both given; leave one out")
    if not spec.enlarges and (scale is not None or size is not None):
        raise UsageError(f"{task} keeps the size; leave out scale and size")
    if scale is not None and not 1 < scale < math.inf:
        raise UsageError(f"scale {scale:g} is not possible; give a number above 1")
    if not 0 <= strength <= 1:
        raise UsageError(f"strength {strength:g} is not possible; give a number from 0 to 1")
    engine = EngineSettings(
        device=device,
        precision=precision,
        backend=backend,
        tile=tile,
        ensemble=ensemble or model == ENSEMBLED,
        threads=threads,
    )
    models = Models(
        task,
        engine,
        name=model,
        file=None if weights is None else Path(weights),
        scale=math.inf if size else scale,
        condition=condition,
    )
    factor = (scale or float(models.fixed_scale or 2)) if spec.enlarges else 1.0
    plan = Plan(
        task=spec,
        factor=factor,
        size=size,
        condition=condition,
        strength=strength,
        pattern=pattern,
        engine=engine,
    )
    # What is not there should fail here, not with the first image.
    models.model(gray=False, factor=1.0 if size else factor)
    return Enhancer(plan, models)


class Enhancer:
    """Restores images; see `load`, which makes it.  Not for several threads at once."""

    def __init__(self, plan: Plan, models: Models) -> None:
        self._plan = plan
        self._models = models
        self.warnings: tuple[str, ...] = ()
        """What had to be done differently with the last image, one line each."""

    @overload
    def __call__(self, image: str | os.PathLike[str], *, on_tile: OnTile | None = None) -> Picture: ...

    @overload
    def __call__(self, image: Given, *, on_tile: OnTile | None = None) -> Given: ...

    def __call__(self, image: Any, *, on_tile: OnTile | None = None) -> Any:
        """Restore an image; the result is of the same kind, and a Picture for a path.

        image: a path; a Picture; a Pillow image; an array (H, W) or (H, W, C) of uint8, uint16, or floats in
        0..1, C = 1 (gray), 2 (gray, alpha), 3 (RGB) or 4 (RGB, alpha); or a tensor (C, H, W) or (N, C, H, W)
        of uint8 or floats in 0..1.  Floats are restored with 16 bits.  `on_tile(done, all)` follows the
        progress.

        UsageError for other kinds, ReadError for files that cannot be read, RestoreError if a result would be
        unusable.
        """
        if isinstance(image, Picture):
            return self._restored(image, on_tile)
        if isinstance(image, (str, os.PathLike)):
            return self._restored(read_image(image), on_tile)
        if isinstance(image, Image.Image):
            array = _stacked(self._restored(_from_pillow(image), on_tile))
            shown = Image.fromarray(array[..., 0] if array.shape[2] == 1 else array)
            shown.info = {key: value for key, value in image.info.items() if key != "transparency"}
            return shown
        if isinstance(image, np.ndarray):
            array = _stacked(self._restored(_from_array(image), on_tile))
            if image.dtype.kind == "f":
                array = to_float(array).astype(image.dtype)
            return array[..., 0] if image.ndim == 2 and array.shape[2] == 1 else array
        # Who gives a tensor has imported torch.
        torch = sys.modules.get("torch")
        if torch is not None and isinstance(image, torch.Tensor):
            if image.ndim == 4:
                return torch.stack([self(one, on_tile=on_tile) for one in image])
            array = image.detach().cpu().permute(1, 2, 0).numpy() if image.ndim == 3 else np.empty(0)
            result = torch.from_numpy(np.ascontiguousarray(self(array, on_tile=on_tile)))
            return result.permute(2, 0, 1).to(image.device)
        raise UsageError(
            f"{type(image).__name__} is no image; give a path, a Pillow image, an array or a tensor"
        )

    def _restored(self, picture: Picture, on_tile: OnTile | None) -> Picture:
        if self._plan.task.mosaic:
            picture = as_mosaic(picture, self._plan.pattern)
        restoration = restoration_of(picture, self._plan, self._models, on_tile=on_tile)
        result = joined(restoration.outline, restoration.bands)
        assert restoration.info is not None
        self.warnings = (*picture.warnings, *restoration.condition.warnings, *restoration.info.warnings)
        return result


def list_models() -> tuple[Weights, ...]:
    """All weights that come with the package: name, task, scale, licence and so on."""
    return catalog()


def read_image(path: str | os.PathLike[str]) -> Picture:
    """Read a picture upright, with its bit depth, transparency and metadata; ReadError if it cannot be."""
    return files.read(Path(path))


def write_image(picture: Picture, path: str | os.PathLike[str], *, jpeg_quality: int = 95) -> None:
    """Write a picture in the format of the suffix, whole or not at all; WriteError if it cannot be."""
    path = Path(path)
    options = EncodeOptions(jpeg_quality=jpeg_quality)
    files.write_atomic(path, files.encode(picture, files.format_of(path), options=options))


def _from_pillow(image: Image.Image) -> Picture:
    if image.mode.startswith("I;16"):
        return _from_array(np.asarray(image).astype(np.uint16))
    transparent = image.has_transparency_data
    mode = ("RGBA" if transparent else "RGB") if image.mode == "P" else PILLOW_MODES.get(image.mode)
    if mode is None:
        raise UsageError(f"Pillow images of mode {image.mode} are not restored; convert it to L or RGB")
    if transparent and mode in ("L", "RGB"):
        mode = {"L": "LA", "RGB": "RGBA"}[mode]
    return _from_array(np.asarray(image.convert(mode)))


def _from_array(array: NDArray[Any]) -> Picture:
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or array.shape[2] not in (1, 2, 3, 4) or 0 in array.shape:
        raise UsageError(f"an array of shape {array.shape} is no image; give (H, W) or (H, W, 1 to 4)")
    if array.dtype.kind == "f":
        array = from_float(array.astype(np.float32), np.uint16)
    if array.dtype not in (np.uint8, np.uint16):
        raise UsageError(f"arrays of {array.dtype} are not restored; give uint8, uint16 or floats in 0..1")
    n_colours = (array.shape[2] - 1) // 2 * 2 + 1
    alpha = array[..., -1] if array.shape[2] > n_colours else None
    return Picture(np.ascontiguousarray(array[..., :n_colours]), alpha)


def _stacked(picture: Picture) -> NDArray[Any]:
    """(H, W, C) with alpha as its last channel, if there is any."""
    if picture.alpha is None:
        return picture.pixels
    return np.concatenate([picture.pixels, picture.alpha[..., None]], axis=2)
