"""Reads and writes our own weights: safetensors, float16 on disk, with their provenance in the metadata.

Loading goes file -> (metadata, tensors) -> strict fill.  A foreign checkpoint would only need its keys
renamed between the last two steps.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from enhance_cli.arch.contract import Architecture, ArchSpec, Parameters, Task
from enhance_cli.checkpoints.catalog import Weights
from enhance_cli.checkpoints.store import path_of, sha256_of
from enhance_cli.errors import ModelError
from enhance_cli.imaging.files import write_atomic

REQUIRED = ("arch", "parameters", "task")
"""Metadata without which a file cannot be loaded; everything else is free."""


@dataclass(frozen=True)
class LoadedNet:
    """A network ready to run, and where it came from."""

    module: nn.Module
    """In eval mode, float32, on the CPU, no gradients."""
    spec: ArchSpec
    name: str
    """Catalog name, or the file's stem."""
    arch: str
    """Key in the registry."""
    parameters: Parameters
    task: str
    sha256: str
    """Of the weights file, lower-case hex."""
    licence: str | None
    metadata: dict[str, str]
    """Everything the file says about itself, the required entries included."""


def load_weights(weights: Weights) -> LoadedNet:
    """Load a catalog entry; ModelError if its file is missing, altered or does not fit."""
    return _load(path_of(weights), name=weights.name, sha256=weights.sha256)


def load_file(path: Path) -> LoadedNet:
    """Load a weights file written by `save_file`; ModelError if it is anything else."""
    return _load(path, name=path.stem, sha256=sha256_of(path))


def save_file(
    path: Path,
    module: nn.Module,
    *,
    arch: str,
    parameters: Parameters,
    task: str,
    metadata: Mapping[str, str],
) -> None:
    """Write the module's state as float16 safetensors, whole or not at all.

    `metadata` is free text: recipe, data, metrics, commit, licence.  Tensors that are not floating
    point (BatchNorm's counters) and those that float16 cannot hold keep their type.  ModelError if a
    weight is NaN or infinite, WriteError if the file cannot be written.
    """
    tensors = {key: _for_disk(key, value) for key, value in module.state_dict().items()}
    header = {
        **metadata,
        "arch": arch,
        "parameters": json.dumps(parameters, sort_keys=True),
        "task": task,
    }
    write_atomic(path, safetensors.torch.save(tensors, metadata=header))


def _for_disk(key: str, value: Tensor) -> Tensor:
    value = value.detach().cpu()
    if not value.is_floating_point():
        return value.contiguous()
    if not value.isfinite().all():
        raise ModelError(f"weight {key!r} is NaN or infinite and was not saved; lower the learning rate")
    half = value.half()
    return (half if half.isfinite().all() else value).contiguous()


def _load(path: Path, *, name: str, sha256: str) -> LoadedNet:
    metadata, tensors = _read(path)
    arch, task = metadata["arch"], metadata["task"]
    parameters = _parameters(path, metadata["parameters"])
    if task not in get_args(Task):
        raise ModelError(f"{path}: unknown task {task!r}; known: {', '.join(get_args(Task))}")
    architecture = _architecture(path, arch)
    try:
        module, spec = architecture.build(**parameters), architecture.spec(**parameters)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ModelError(f"{path}: parameters {parameters} do not fit network {arch!r}: {error}") from error
    _fill(module, tensors, path)
    return LoadedNet(
        module=module.float().eval().requires_grad_(False),
        spec=spec,
        name=name,
        arch=arch,
        parameters=parameters,
        task=task,
        sha256=sha256,
        licence=metadata.get("licence"),
        metadata=metadata,
    )


def _read(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    try:
        with safe_open(path, framework="pt") as file:
            metadata: dict[str, str] = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a mapping
    except (SafetensorError, OSError) as error:
        raise ModelError(
            f"{path} is not a readable safetensors file ({_one_line(error)}); give one of enhance train"
        ) from error
    for key in REQUIRED:
        if key not in metadata:
            raise ModelError(
                f"{path} has no metadata {key!r}; write it with enhance train, or give another file"
            )
    return metadata, tensors


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _parameters(path: Path, text: str) -> Parameters:
    try:
        parameters = json.loads(text)
    except json.JSONDecodeError as error:
        raise ModelError(f"{path}: metadata 'parameters' is not JSON: {text!r}") from error
    if not isinstance(parameters, dict):
        raise ModelError(f"{path}: metadata 'parameters' must be a JSON object, not {text!r}")
    return parameters


def _architecture(path: Path, arch: str) -> Architecture:
    # Inside the function: writing a file and the record above need none of the networks.
    from enhance_cli.arch.registry import ARCHITECTURES

    if arch not in ARCHITECTURES:
        raise ModelError(f"{path}: unknown network {arch!r}; known: {', '.join(sorted(ARCHITECTURES))}")
    return ARCHITECTURES[arch]


def _fill(module: nn.Module, tensors: Mapping[str, Tensor], path: Path) -> None:
    """Copy every tensor into the module; ModelError names the first that is missing, extra or unfit."""
    state = module.state_dict()
    for key, own in state.items():
        if key not in tensors:
            raise ModelError(f"{path} lacks weight {key!r}; its parameters do not describe what it holds")
        given = tensors[key]
        if given.shape != own.shape:
            shapes = f"{tuple(given.shape)} instead of {tuple(own.shape)}"
            raise ModelError(f"{path}: weight {key!r} has shape {shapes}; its parameters do not describe it")
        if not torch.isfinite(given).all():
            raise ModelError(f"{path}: weight {key!r} holds NaN or Inf; the training that wrote it failed")
    extra = next((key for key in tensors if key not in state), None)
    if extra is not None:
        raise ModelError(f"{path} holds weight {extra!r} that its network does not have")
    module.load_state_dict(dict(tensors))
