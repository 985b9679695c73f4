"""Arrays to the device and back; by page-locked memory on CUDA, which is about twice as fast."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def send(x: NDArray[np.float32], device: torch.device) -> Tensor:
    """The array on the device.  On the CPU the tensor shares its memory; CUDA may still be copying."""
    given = torch.from_numpy(x)
    if device.type == "cuda":
        return given.pin_memory().to(device, non_blocking=True)
    return given.to(device)


def fetch(y: Tensor) -> NDArray[Any]:
    """The tensor as an array.  From the CPU it shares the tensor's memory."""
    if y.device.type != "cuda":
        return y.cpu().numpy()
    locked = torch.empty(y.shape, dtype=y.dtype, pin_memory=True)
    return locked.copy_(y.contiguous()).numpy()
