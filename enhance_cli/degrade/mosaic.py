"""A sensor's Bayer mosaic of a clean picture."""

from __future__ import annotations

import torch
from torch import Tensor


def mosaic_batch(x: Tensor, shifts: Tensor) -> Tensor:
    """Keep one colour per pixel of (N, 3, H, W), zeros elsewhere, H and W even.

    The pattern is G R above B G, moved by `shifts` (N, 2) rows and columns of 0 or 1, each its own.
    """
    rows = (torch.arange(x.shape[2], device=x.device) + shifts[:, :1]) % 2
    columns = (torch.arange(x.shape[3], device=x.device) + shifts[:, 1:]) % 2
    rows, columns = rows[:, :, None], columns[:, None, :]
    red, blue = (rows == 0) & (columns == 1), (rows == 1) & (columns == 0)
    return x * torch.stack([red, rows == columns, blue], 1)
