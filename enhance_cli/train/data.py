"""All training pictures in device memory, and batches of random crops cut by one gather."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from joblib import Parallel, delayed
from numpy.typing import NDArray
from torch import Tensor

from enhance_cli.arch.contract import Colour
from enhance_cli.degrade.bicubic import resize_batch
from enhance_cli.errors import UsageError
from enhance_cli.imaging.colour import rgb_to_y, to_float
from enhance_cli.imaging.files import IMAGE_SUFFIXES, read

FULL_RANGE_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)


@dataclass(frozen=True)
class Pack:
    """The pictures of a run as (H, W, C) uint8, and a fingerprint of their files."""

    pictures: list[NDArray[np.uint8]]
    sha256: str
    """Over the sorted file names and their contents."""
    weights: list[float]
    """How many times as often each picture is to be drawn."""


def load_pack(folder: Path, packs: Sequence[str], colour: Colour, pack_weights: Sequence[float] = ()) -> Pack:
    """Read every picture below `folder`/pack for all packs; UsageError where there is none.

    `pack_weights`: one for each pack, of which its pictures' are made; none for 1.
    """
    files: list[Path] = []
    weights: list[float] = []
    for pack, weight in zip(packs, pack_weights or [1.0] * len(packs), strict=True):
        found = sorted(p for p in (folder / pack).rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES)
        if not found:
            raise UsageError(f"No pictures in {folder / pack}; --data must be the folder that holds {pack}/")
        files += found
        weights += [weight] * len(found)
    pictures = Parallel(n_jobs=2, prefer="threads")(delayed(load_picture)(path, colour) for path in files)
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.relative_to(folder).as_posix().encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return Pack(pictures, digest.hexdigest(), weights)


def load_picture(path: Path, colour: Colour) -> NDArray[np.uint8]:
    """Read a picture as (H, W, C) levels of what a network of that colour is given."""
    picture = read(path)
    pixels = (picture.pixels // (picture.full_scale // 255)).astype(np.uint8)
    if colour == "rgb":
        return np.repeat(pixels, 3, 2) if pixels.shape[2] == 1 else pixels
    if pixels.shape[2] == 1:
        return pixels
    if colour == "y":
        return np.rint(rgb_to_y(to_float(pixels)) * 255).astype(np.uint8)
    return np.rint(pixels @ FULL_RANGE_LUMA)[..., None].astype(np.uint8)


def _detail(picture: NDArray[np.uint8]) -> float:
    """Mean absolute difference between neighbouring pixels."""
    plane = picture[..., picture.shape[2] // 2].astype(np.int16)
    steps = np.abs(np.diff(plane, axis=0)).sum() + np.abs(np.diff(plane, axis=1)).sum()
    return float(steps) / plane.size


class Bank:
    """Pictures as one flat uint8 tensor, so that a whole batch of crops is a single gather."""

    def __init__(
        self,
        pictures: Sequence[NDArray[np.uint8]],
        device: torch.device,
        shrink: Sequence[float] = (1.0,),
        weights: Sequence[float] = (),
    ) -> None:
        """`shrink`: factors by which crops are shrunk, of which each batch draws one.

        `weights`: how many times as often each picture is drawn as its size and detail ask for; none for 1.
        """
        self.device = device
        self.shrink = shrink
        self.pixels = torch.from_numpy(np.concatenate([p.reshape(-1, p.shape[2]) for p in pictures])).to(
            device
        )
        heights = torch.tensor([p.shape[0] for p in pictures], device=device)
        widths = torch.tensor([p.shape[1] for p in pictures], device=device)
        areas = heights * widths
        self.heights, self.widths = heights, widths
        detail = torch.tensor([_detail(p) for p in pictures], device=device)
        # Flat pictures are rare rather than impossible: a pack may hold nothing else.
        self.importance = areas * detail.clamp_min(1e-3)
        if weights:
            self.importance *= torch.tensor(weights, device=device)
        sides = sorted(min(p.shape[:2]) for p in pictures)
        self.largest_side = sides[-1]
        # Windows that only a few pictures can hold would leave the others out.
        self.usual_side = sides[len(sides) // 4]
        self.offsets = areas.cumsum(0) - areas
        self.generator = torch.Generator(device)

    def crops(self, n: int, side: int) -> Tensor:
        """Draw n random crops, (n, C, side, side) float32 on whole levels 0..255.

        Pictures are drawn in proportion to area times mean gradient, since skies teach little, times weight;
        each crop is flipped and turned at random, and shrunk (antialiased) from as large a window as the
        factor, drawn from torch's own generator, asks for, or three quarters of the pictures can hold.
        UsageError if no picture is that large.
        """
        factor = self.shrink[int(torch.randint(len(self.shrink), ())) if len(self.shrink) > 1 else 0]
        window = max(side, min(round(side * factor), self.usual_side))
        if window > self.largest_side:
            raise UsageError(
                f"no picture is as large as a crop of {window}x{window} (largest: {self.largest_side}); "
                "lower patch in the recipe or add larger pictures"
            )
        fits = torch.minimum(self.heights, self.widths) >= window
        chosen = torch.multinomial(fits * self.importance, n, replacement=True, generator=self.generator)
        top = self._uniform(n) * (self.heights[chosen] - window + 1)
        left = self._uniform(n) * (self.widths[chosen] - window + 1)
        rows, columns = self._turned_grids(n, window)
        rows = rows + top.long()[:, None, None]
        columns = columns + left.long()[:, None, None]
        index = self.offsets[chosen][:, None, None] + rows * self.widths[chosen][:, None, None] + columns
        windows = self.pixels[index].permute(0, 3, 1, 2).float()
        return resize_batch(windows, side).round_().clamp_(0, 255)

    def _turned_grids(self, n: int, side: int) -> tuple[Tensor, Tensor]:
        """Row and column indices (n, side, side), each sample in one of the eight orientations."""
        forward = torch.arange(side, device=self.device)
        flip_y, flip_x, turn = self._uniform(3 * n).reshape(3, n, 1, 1) < 0.5
        y = torch.where(flip_y, side - 1 - forward, forward).expand(n, 1, side).transpose(1, 2)
        x = torch.where(flip_x, side - 1 - forward, forward).expand(n, 1, side)
        y, x = y.expand(n, side, side), x.expand(n, side, side)
        return torch.where(turn, x, y), torch.where(turn, y, x)

    def _uniform(self, n: int) -> Tensor:
        return torch.rand(n, generator=self.generator, device=self.device)
