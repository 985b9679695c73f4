"""Loads weights: ours, whose metadata says what they are, and foreign ones, which are known by their keys.

Loading goes file -> tensors -> network and parameters -> strict fill.  Ours are safetensors, float16 on disk,
with their provenance in the metadata.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import safetensors.torch
from torch import Tensor, nn

from enhance_cli.arch.contract import ArchSpec, Parameters, Task
from enhance_cli.checkpoints.build import built, check_types, fill
from enhance_cli.checkpoints.catalog import Weights
from enhance_cli.checkpoints.header import CHOSEN_FOR, header_of
from enhance_cli.checkpoints.layouts.contract import Recognised
from enhance_cli.checkpoints.raw import Raw, read_raw
from enhance_cli.checkpoints.recognise import recognise
from enhance_cli.checkpoints.store import path_of, sha256_of
from enhance_cli.checkpoints.wanted import Wanted
from enhance_cli.errors import ModelError
from enhance_cli.imaging.files import write_atomic


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
    task: Task
    sha256: str
    """Of the weights file, lower-case hex."""
    licence: str | None
    metadata: dict[str, str]
    """Everything the file says about itself, the required entries included."""
    tasks: tuple[Task, ...] = ()
    """All tasks that the weights can do, `task` among them."""
    chosen_for: float | None = None
    """Strength for which it was taken out of a foreign file with several networks."""
    scales: tuple[int, ...] = ()
    """All that a foreign file with several holds; it was taken for one of them."""
    title: str | None = None
    """For foreign files: the network and whose keys they are."""
    dropped: tuple[str, ...] = ()
    """Keys of a foreign file that have no influence and were left out."""
    notes: tuple[str, ...] = ()
    """What a foreign file left open and was assumed."""

    @property
    def recognised(self) -> str | None:
        """One line on what a foreign file was found to be; None for ours."""
        if self.title is None:
            return None
        words = [f"{key} {value}" for key, value in self.parameters.items()]
        if self.dropped:
            words.append(f"{len(self.dropped)} keys dropped")
        return f"{self.title}: {', '.join((*words, *self.notes))}"


def load_weights(weights: Weights) -> LoadedNet:
    """Load a catalog entry; ModelError if its file is missing, altered or does not fit."""
    path = path_of(weights)
    return _loaded(path, read_raw(path), name=weights.name, sha256=weights.sha256)


def load_file(path: Path, wanted: Wanted | None = None) -> LoadedNet:
    """Load a weights file of ours or of anyone else's; ModelError in one line if that cannot be."""
    raw = read_raw(path)  # looks at what the path leads to, and a pipe cannot be hashed
    return _loaded(path, raw, name=path.stem, sha256=sha256_of(path), wanted=wanted)


def save_file(
    path: Path,
    module: nn.Module,
    *,
    arch: str,
    parameters: Parameters,
    task: str,
    metadata: Mapping[str, str],
    half: bool = True,
) -> None:
    """Write the module's state as safetensors, whole or not at all.

    `metadata` is free text: recipe, data, metrics, commit, licence.  With `half` values are rounded to
    float16; tensors that are not floating point (BatchNorm's counters) and those that float16 cannot hold
    keep their type.  ModelError if a weight is NaN or infinite, WriteError if the file cannot be written.
    """
    tensors = {key: _for_disk(key, value, half) for key, value in module.state_dict().items()}
    header = {
        **metadata,
        "arch": arch,
        "parameters": json.dumps(parameters, sort_keys=True),
        "task": task,
    }
    write_atomic(path, safetensors.torch.save(tensors, metadata=header))


def save_converted(path: Path, net: LoadedNet, *, half: bool = False) -> None:
    """Write a loaded network, whoever's it was, as a file that says itself what it holds; see `save_file`."""
    source = {"converted_from": f"{net.title or net.arch}, sha256 {net.sha256}", "tasks": " ".join(net.tasks)}
    if net.chosen_for is not None:
        source[CHOSEN_FOR] = str(net.chosen_for)
    save_file(
        path,
        net.module,
        arch=net.arch,
        parameters=net.parameters,
        task=net.task,
        metadata={**net.metadata, **source},
        half=half,
    )


def _for_disk(key: str, value: Tensor, half: bool) -> Tensor:
    value = value.detach().cpu().contiguous()
    if not value.is_floating_point():
        return value
    if not value.isfinite().all():
        raise ModelError(f"weight {key!r} is NaN or infinite and was not saved; lower the learning rate")
    rounded = value.half()
    return rounded if half and rounded.isfinite().all() else value


def _loaded(path: Path, raw: Raw, *, name: str, sha256: str, wanted: Wanted | None = None) -> LoadedNet:
    wanted = wanted or Wanted()
    ours = "arch" in raw.metadata
    try:
        found = _ours(raw, wanted) if ours else recognise(raw.tensors, wanted)
        module, spec = built(found)
        fill(module, found.tensors)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
    task = wanted.task or found.tasks[0]
    return LoadedNet(
        module=module.float().eval().requires_grad_(False),
        spec=spec.for_task(task),
        name=name,
        arch=found.arch,
        parameters=found.parameters,
        task=task,
        sha256=sha256,
        licence=raw.metadata.get("licence"),
        metadata=raw.metadata,
        tasks=found.tasks,
        chosen_for=found.chosen_for,
        scales=found.scales,
        title=None if ours else found.title,
        dropped=found.dropped,
        notes=found.notes,
    )


def _ours(raw: Raw, wanted: Wanted) -> Recognised:
    """What a file of ours says about itself."""
    check_types(raw.tensors)
    header = header_of(raw.metadata)
    if wanted.task is not None and wanted.task not in header.tasks:
        raise ModelError(f"it is for {' and '.join(header.tasks)}, not for {wanted.task}")
    if wanted.options:
        raise ModelError("it says itself what it holds; leave out --arch-option")
    return Recognised(
        title=header.arch,
        arch=header.arch,
        parameters=header.parameters,
        tensors=raw.tensors,
        tasks=header.tasks,
        chosen_for=header.chosen_for,
    )
