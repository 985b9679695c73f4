"""Metrics beyond a protocol's own: the other SSIMs, and learned ones through the library pyiqa."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from enhance_cli.bench.protocols.contract import Clean, Metrics
from enhance_cli.errors import ImageError, UsageError
from enhance_cli.metrics.ssim import ssim

Metric = Callable[[Clean, Clean], float]

OWN: dict[str, Metric] = {
    "ssim-flat": partial(ssim, window="flat"),
    "ssim-shrunk": partial(ssim, shrink=True),
}
FROM_PYIQA = ("lpips", "dists", "niqe")
"""Zhang et al. 2018 (AlexNet), Ding et al. 2020, Mittal et al. 2013 (no reference); lower is better."""
NAMES = (*OWN, *FROM_PYIQA)


def extra_metrics(names: Sequence[str], device: str = "cpu") -> Callable[[Clean, Clean], Metrics]:
    """A function of (result, reference), both (H, W, C) uint8, that gives the metrics of these names.

    Its keys are the names with "_" for "-". Raises UsageError for an unknown name, where pyiqa is not
    installed, or where its weights cannot be had; the function raises ImageError for a picture that a
    metric does not take.
    """
    metrics = {name.replace("-", "_"): _metric(name, device) for name in names}

    def measure(result: Clean, reference: Clean) -> Metrics:
        return {key: metric(result, reference) for key, metric in metrics.items()}

    return measure


def _metric(name: str, device: str) -> Metric:
    if name in OWN:
        return OWN[name]
    if name not in FROM_PYIQA:
        raise UsageError(f"metric {name} is unknown; known: {', '.join(NAMES)}")
    library = _pyiqa(name)
    try:
        # Its code prints what it loads to standard output, which is for data.
        with redirect_stdout(sys.stderr):
            network = library.create_metric(name, device=torch.device(device))
    except Exception as error:
        # Weights are fetched here, by whichever client the library has at the time.
        raise UsageError(
            f"metric {name} cannot be set up ({_brief(error)}); its weights may be missing"
        ) from error
    return partial(_apply, name, network)


def _pyiqa(name: str) -> ModuleType:
    try:
        import pyiqa
    except ImportError as error:
        raise UsageError(
            f"metric {name} needs the library pyiqa ({_brief(error)}): pip install 'enhance-cli[perceptual]'"
        ) from error
    return pyiqa


def _apply(name: str, network: Any, result: Clean, reference: Clean) -> float:
    pictures = [_tensor(result)]
    if network.metric_mode != "NR":  # no reference
        pictures.append(_tensor(reference))
    try:
        with torch.inference_mode():
            return float(network(*pictures))
    except (RuntimeError, ValueError, AssertionError) as error:
        raise ImageError(f"metric {name} does not take the picture ({_brief(error)})") from error


def _tensor(x: Clean) -> Tensor:
    """(H, W, 1 or 3) uint8 to the library's (1, 3, H, W) RGB in 0..1; gray becomes three equal channels."""
    rgb = np.ascontiguousarray(x.repeat(3 // x.shape[2], axis=2).transpose(2, 0, 1)[None])
    return torch.from_numpy(rgb).float() / 255


def _brief(error: Exception) -> str:
    return str(error).partition("\n")[0] or type(error).__name__
