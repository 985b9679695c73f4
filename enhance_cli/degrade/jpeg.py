"""JPEG compression: libjpeg for one picture, the same arithmetic as tensor operations for batches."""

from __future__ import annotations

import io
import math
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

# Quantisation tables of ITU-T T.81, annex K (row by row); libjpeg scales them by quality.
LUMA_TABLE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
CHROMA_TABLE = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    *(((99,) * 8,) * 4),
)


def compress(x: NDArray[np.uint8], quality: int, subsampling: str = "4:2:0") -> NDArray[np.uint8]:
    """Encode (H, W, 1 or 3) uint8 with libjpeg at `quality` 1..100 and decode it again."""
    buffer = io.BytesIO()
    picture = Image.fromarray(x[..., 0] if x.shape[-1] == 1 else x)
    picture.save(buffer, "JPEG", quality=quality, subsampling=subsampling if x.shape[-1] == 3 else -1)
    with Image.open(buffer) as decoded:
        return np.asarray(decoded).reshape(x.shape)


def compress_batch(x: Tensor, quality: Tensor, *, subsample: bool = True) -> Tensor:
    """JPEG as (N, C, H, W) tensors on whole levels 0..255, C = 1 or 3, sides multiples of 16.

    `quality` is (N,), 1..100; `subsample` halves the chroma (4:2:0). The transform is the exact DCT
    where libjpeg's is an integer approximation, so pixels differ by a level here and there.
    """
    if x.shape[1] == 1:
        return _code(x, quantisation(LUMA_TABLE, quality))
    to_ycc, from_ycc, offset = _colour_transform(x.device)
    ycc = _levels(_apply(to_ycc, x) + offset)
    luma = _code(ycc[:, :1], quantisation(LUMA_TABLE, quality))
    chroma = ycc[:, 1:]
    if subsample:
        # libjpeg rounds means of four down and up by turns, so that no bias adds up.
        bias = torch.tensor([0.25, 0.5], device=x.device).repeat(x.shape[-1] // 4)
        chroma = (F.avg_pool2d(chroma, 2) + bias).floor_()
    chroma = _code(chroma, quantisation(CHROMA_TABLE, quality))
    if subsample:
        # libjpeg's "fancy upsampling" is the triangle filter, which is bilinear at half-pixel phase.
        chroma = F.interpolate(chroma, scale_factor=2, mode="bilinear", align_corners=False).round()
    ycc = torch.cat([luma, chroma], 1)
    return _levels(_apply(from_ycc, ycc - offset))


def quantisation(table: tuple[tuple[int, ...], ...], quality: Tensor) -> Tensor:
    """(N, 1, 1, 8, 1, 8) quantisation steps of libjpeg for qualities (N,) in 1..100."""
    base = torch.tensor(table, dtype=torch.float32, device=quality.device)
    q = quality.float().clamp(1, 100)
    percent = torch.where(q < 50, (5000 / q).floor(), 200 - 2 * q)
    steps = ((base * percent[:, None, None] + 50) / 100).floor().clamp_(1, 255)
    return steps[:, None, None, :, None, :]


def _code(x: Tensor, steps: Tensor) -> Tensor:
    """Transform, quantise and rebuild planes (N, C, H, W) in 0..255, block by block."""
    n, c, height, width = x.shape
    dct = _dct(x.device)
    blocks = (x - 128).reshape(n, c, height // 8, 8, width // 8, 8)
    coefficients = torch.einsum("ua,ncyaxb,vb->ncyuxv", dct, blocks, dct)
    # libjpeg rounds halves away from zero, which flat areas hit often.
    coefficients = coefficients.sign() * (coefficients.abs() / steps + 0.5).floor_() * steps
    blocks = torch.einsum("ua,ncyuxv,vb->ncyaxb", dct, coefficients, dct)
    return _levels(blocks.reshape(n, c, height, width) + 128)


def _levels(x: Tensor) -> Tensor:
    return x.round_().clamp_(0, 255)


def _apply(matrix: Tensor, x: Tensor) -> Tensor:
    return torch.einsum("dc,nchw->ndhw", matrix, x)


@lru_cache(maxsize=4)
def _dct(device: torch.device) -> Tensor:
    """The orthonormal 8-point DCT-II, rows are frequencies."""
    k, n = torch.arange(8.0)[:, None], torch.arange(8.0)[None, :]
    matrix = torch.cos(math.pi * (2 * n + 1) * k / 16) / 2
    matrix[0] /= math.sqrt(2)
    return matrix.to(device)


@lru_cache(maxsize=4)
def _colour_transform(device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """JFIF's matrices from RGB to YCbCr, full range, and back, and what is added in between."""
    to_ycc = [[0.299, 0.587, 0.114], [-0.168735892, -0.331264108, 0.5], [0.5, -0.418687589, -0.081312411]]
    from_ycc = [[1.0, 0.0, 1.402], [1.0, -0.344136286, -0.714136286], [1.0, 1.772, 0.0]]
    offset = torch.tensor([0.0, 128.0, 128.0], device=device)[None, :, None, None]
    return torch.tensor(to_ycc, device=device), torch.tensor(from_ycc, device=device), offset
