"""What a run begins with: network, pictures, loss, and where the arithmetic happens."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from enhance_cli.arch.contract import ArchSpec
from enhance_cli.arch.registry import ARCHITECTURES
from enhance_cli.checkpoints.catalog import find
from enhance_cli.checkpoints.reader import LoadedNet, load_file, load_weights
from enhance_cli.errors import UsageError
from enhance_cli.runtimes.torch import find_device
from enhance_cli.train.data import Bank, load_pack
from enhance_cli.train.loop import Compute
from enhance_cli.train.losses import LOSSES, LossFunction
from enhance_cli.train.perceptual import Perceptual
from enhance_cli.train.recipe import Recipe

Item = TypeVar("Item")


def network(recipe: Recipe) -> tuple[ArchSpec, nn.Module]:
    """The recipe's network and how it wants to be fed; UsageError if there is none such."""
    architecture = ARCHITECTURES.get(recipe.arch)
    if architecture is None:
        known = ", ".join(ARCHITECTURES)
        raise UsageError(f"Recipe {recipe.name} names the unknown arch {recipe.arch!r}; known: {known}")
    try:
        spec = architecture.spec(**recipe.parameters).for_task(recipe.task)
        return spec, architecture.build(**recipe.parameters)
    except (TypeError, ValueError, RuntimeError) as error:
        raise UsageError(
            f"Recipe {recipe.name}: [parameters] {recipe.parameters} do not fit {recipe.arch}: {error}"
        ) from error


def initial(name: str | None) -> LoadedNet | None:
    """The weights to start from, by file or name."""
    if name is None:
        return None
    path = Path(name)
    return load_file(path) if path.suffix == ".safetensors" else load_weights(find(name))


def warm_start(module: nn.Module, state: dict[str, Tensor]) -> list[str]:
    """Load every tensor whose name and shape fit; return the names that stay fresh."""
    own = module.state_dict()
    fitting = {key: value for key, value in state.items() if key in own and own[key].shape == value.shape}
    if not fitting:
        raise UsageError("The weights to start from share no tensor with this network; choose another --init")
    module.load_state_dict(fitting, strict=False)
    return sorted(own.keys() - fitting.keys())


def banks(
    recipe: Recipe, folder: Path, spec: ArchSpec, device: torch.device
) -> tuple[Bank, Bank, dict[str, Any]]:
    """The pictures to train and to validate on, and what weights tell of them."""
    pack = load_pack(folder, recipe.packs, spec.colour, recipe.pack_weights)
    kept, held_out = split(list(zip(pack.pictures, pack.weights, strict=True)), recipe.held_out)
    bank = Bank([p for p, _ in kept], device, recipe.shrink, [weight for _, weight in kept])
    told = {"packs": recipe.packs, "pictures": len(kept), "held_out": len(held_out), "sha256": pack.sha256}
    return bank, Bank([p for p, _ in held_out], device), told


def split(pictures: Sequence[Item], n_held_out: int) -> tuple[list[Item], list[Item]]:
    """Part the pictures to train on from every so many-th, n_held_out in all, to validate on.

    UsageError if either part would be empty.
    """
    if not 0 < n_held_out < len(pictures):
        raise UsageError(
            f"held_out = {n_held_out} of {len(pictures)} pictures leaves none to train or to validate on; "
            "change held_out in the recipe or add pictures"
        )
    step = len(pictures) // n_held_out
    chosen = range(step - 1, step * n_held_out, step)
    return [p for i, p in enumerate(pictures) if i not in chosen], [pictures[i] for i in chosen]


def loss_of(recipe: Recipe, spec: ArchSpec, vgg: Path | None, device: torch.device) -> LossFunction:
    """The recipe's loss; UsageError if it has not got what it needs."""
    if recipe.loss != "perceptual":
        if vgg:
            raise UsageError(f"Recipe {recipe.name}: loss {recipe.loss} uses no VGG19; leave out --vgg")
        return LOSSES[recipe.loss]
    if spec.colour != "rgb":
        raise UsageError(
            f"Recipe {recipe.name}: loss perceptual is for RGB; choose another for {spec.colour}"
        )
    if vgg is None:
        raise UsageError(
            f"Recipe {recipe.name}: loss perceptual needs the weights of VGG19, which are not shipped; "
            "name torchvision's vgg19 file with --vgg"
        )
    return Perceptual(vgg, device)


def choose_compute(device: str, precision: str, compile: bool | None = None) -> Compute:
    """The device and arithmetic of a run; DeviceError for one that is not there."""
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    where = torch.device(find_device(device))
    if precision not in ("auto", "float32", "bfloat16"):
        raise UsageError(f"Precision {precision!r} is unknown; use auto, float32 or bfloat16")
    on_gpu = where.type == "cuda"
    # Without the instructions bfloat16 is emulated and slower than float32.
    capabilities: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()
    native = on_gpu or bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
    mixed = precision == "bfloat16" or (precision == "auto" and native)
    return Compute(where, torch.bfloat16 if mixed else None, on_gpu if compile is None else compile)
