"""Metrics beyond a protocol's own: the other SSIMs, and learned ones through the library pyiqa."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from functools import partial
from typing import Any

import numpy as np

from enhance_cli.errors import ImageError, UsageError
from enhance_cli.metrics.measure import EightBit, Metrics
from enhance_cli.metrics.ssim import ssim

Metric = Callable[[EightBit, EightBit], float]

OWN: dict[str, Metric] = {
    "ssim-flat": partial(ssim, window="flat"),
    "ssim-shrunk": partial(ssim, shrink=True),
}
FROM_PYIQA = ("lpips", "dists", "niqe")
"""Zhang et al. 2018 (AlexNet), Ding et al. 2020, Mittal et al. 2013 (no reference); lower is better."""


def extra_metrics(names: Sequence[str], device: str = "cpu") -> Callable[[EightBit, EightBit], Metrics]:
    """A function of (result, reference), both (H, W, C) uint8, that gives the metrics of these names.

    Its keys are the names with "_" for "-". Raises UsageError for an unknown name, where pyiqa is not
    installed, or where its weights cannot be had; the function raises ImageError for a picture that a
    metric does not take.
    """
    metrics = {name.replace("-", "_"): OWN.get(name) or _learned(name, device) for name in names}
    return lambda result, reference: {key: metric(result, reference) for key, metric in metrics.items()}


def _learned(name: str, device: str) -> Metric:
    if name not in FROM_PYIQA:
        raise UsageError(f"metric {name} is unknown; known: {', '.join((*OWN, *FROM_PYIQA))}")
    try:
        import pyiqa
        import torch
    except ImportError as error:
        raise UsageError(
            f"metric {name} needs the library pyiqa ({_brief(error)}): pip install 'enhance-cli[perceptual]'"
        ) from error
    try:
        # Its code prints what it loads to standard output, which is for data.
        with redirect_stdout(sys.stderr):
            network = pyiqa.create_metric(name, device=torch.device(device))
    except Exception as error:
        # Weights are fetched here, by whichever client the library has at the time.
        raise UsageError(
            f"metric {name} cannot be set up ({_brief(error)}); its weights may be missing"
        ) from error

    def tensor(x: EightBit) -> Any:
        """(H, W, 1 or 3) to the library's (1, 3, H, W) RGB in 0..1; gray becomes three equal channels."""
        rgb = np.ascontiguousarray(x.repeat(3 // x.shape[2], axis=2).transpose(2, 0, 1)[None])
        return torch.from_numpy(rgb).float() / 255

    def metric(result: EightBit, reference: EightBit) -> float:
        without_reference = network.metric_mode == "NR"
        pictures = [tensor(x) for x in ((result,) if without_reference else (result, reference))]
        try:
            with torch.inference_mode():
                return float(network(*pictures))
        except (RuntimeError, ValueError, AssertionError) as error:
            raise ImageError(f"metric {name} does not take the picture ({_brief(error)})") from error

    return metric


def _brief(error: Exception) -> str:
    return str(error).partition("\n")[0] or type(error).__name__
