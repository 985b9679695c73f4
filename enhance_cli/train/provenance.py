"""Weights files that tell how they were made."""

from __future__ import annotations

import json
import platform
import subprocess
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor

from enhance_cli import __version__
from enhance_cli.arch.registry import ARCHITECTURES
from enhance_cli.checkpoints.reader import save_file
from enhance_cli.train.loop import Compute, Report, Trainer
from enhance_cli.train.recipe import Recipe


def provenance(
    recipe: Recipe,
    trainer: Trainer,
    origin: Mapping[str, str],
    report: Report,
    times: Mapping[str, float],
    float16_costs: float | None,
) -> dict[str, str]:
    """What a weights file says of its making; `times`: seconds that were asked for, by name."""
    device = trainer.compute.device
    on_gpu = device.type == "cuda"
    how = {
        **times,
        "seconds": round(report.seconds, 1),
        "iterations": report.iterations,
        "device": torch.cuda.get_device_name(device) if on_gpu else f"CPU {platform.machine()}",
        "precision": precision_of(trainer.compute),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "enhance": __version__,
    }
    ranges = {"sigma": recipe.sigma, "quality": recipe.quality}
    condition = trainer.spec.condition
    metrics = {"validation_psnr": round(max(report.psnr, report.long_psnr), 3), "loss": report.loss}
    if report.foreign_psnr is not None:
        metrics["foreign_psnr"] = round(report.foreign_psnr, 3)
    if float16_costs is not None:
        metrics["float16_costs"] = round(float16_costs, 5)
    return {
        **origin,
        **({"condition_range": json.dumps(ranges[condition])} if condition else {}),
        "recipe": json.dumps(asdict(recipe)),
        "training": json.dumps(how),
        "metrics": json.dumps(metrics),
        "licence": "MIT",
    }


def save(path: Path, recipe: Recipe, tensors: dict[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write the network's tensors with what they say of themselves."""
    module = ARCHITECTURES[recipe.arch].build(**recipe.parameters)
    module.load_state_dict(tensors)
    save_file(
        path, module, arch=recipe.arch, parameters=recipe.parameters, task=recipe.task, metadata=metadata
    )


def precision_of(compute: Compute) -> str:
    """How the arithmetic is called that the run is done in."""
    return "bfloat16" if compute.autocast else "float32"


def commit() -> str:
    """The project's commit, with "+" if the tree has changes; "unknown" outside its own checkout."""
    root = Path(__file__).parents[2]
    # An installed package may lie inside somebody else's repository.
    if not (root / ".git").exists():
        return "unknown"
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--abbrev=12", "--dirty=+"],
            cwd=root,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return described.stdout.strip()
