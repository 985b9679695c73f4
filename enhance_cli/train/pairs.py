"""Validation on damage of another making: pairs of pictures from a folder, such as real photographs."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from enhance_cli.arch.contract import ArchSpec
from enhance_cli.errors import UsageError
from enhance_cli.imaging.files import IMAGE_SUFFIXES
from enhance_cli.train.data import load_picture
from enhance_cli.train.samples import Sample

FOLDERS = (("noisy", "clean"), ("blur", "sharp"))
"""What the two halves of the pairs may be called."""
N_PAIRS = 16
"""Spread over the sorted list; more would take the time of training."""
SIDE = 256
"""Of the middle of each degraded picture that is used."""


def read_pairs(folder: Path, spec: ArchSpec, device: torch.device) -> list[Sample]:
    """Samples of one pair each, of the same name in `folder`/noisy and clean, or blur and sharp.

    UsageError if there are none, if their sizes do not fit the network, or if it has to be told the quality.
    """
    if spec.condition == "quality" or spec.pre_upsampled:
        raise UsageError(
            f"Pairs of {folder} tell no quality and no scale, which this network wants to be told"
        )
    degraded, clean = next((names for names in FOLDERS if (folder / names[0]).is_dir()), FOLDERS[0])
    references = {path.stem: path for path in (folder / clean).glob("*")}
    paths = sorted(path for path in (folder / degraded).glob("*") if path.suffix.lower() in IMAGE_SUFFIXES)
    if not paths or any(path.stem not in references for path in paths):
        raise UsageError(
            f"{folder} must hold pictures in noisy/ (or blur/) and one of each name in clean/ (or sharp/)"
        )
    step = max(len(paths) // N_PAIRS, 1)
    samples = []
    for path in paths[::step][:N_PAIRS]:
        reference = references[path.stem]
        small, large = (
            torch.from_numpy(load_picture(one, spec.colour)).to(device).permute(2, 0, 1)[None].float()
            for one in (path, reference)
        )
        if any(n * spec.scale != m for n, m in zip(small.shape[2:], large.shape[2:], strict=True)):
            raise UsageError(f"{reference} is not {spec.scale} times as large as {path}")
        sides = [min(n, SIDE) // spec.multiple * spec.multiple for n in small.shape[2:]]
        corner = [(n - side) // 2 for n, side in zip(small.shape[2:], sides, strict=True)]
        small, large = _window(small, corner, sides, 1), _window(large, corner, sides, spec.scale)
        told = None if spec.condition is None else (small - large).square().mean().sqrt() / 255
        samples.append(Sample(small, large, None if told is None else told.view(1, 1, 1, 1)))
    return samples


def _window(x: Tensor, corner: list[int], sides: list[int], scale: int) -> Tensor:
    rows, columns = (slice(scale * n, scale * (n + m)) for n, m in zip(corner, sides, strict=True))
    return x[..., rows, columns]
