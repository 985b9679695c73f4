"""One training run from a recipe to a weights file that tells how it was made."""

from __future__ import annotations

import json
import platform
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from enhance_cli import __version__
from enhance_cli.arch.contract import ArchSpec
from enhance_cli.arch.registry import ARCHITECTURES
from enhance_cli.checkpoints.catalog import find
from enhance_cli.checkpoints.reader import LoadedNet, load_file, load_weights, save_file
from enhance_cli.checkpoints.store import sha256_of
from enhance_cli.errors import UsageError
from enhance_cli.imaging.files import remove_leftovers
from enhance_cli.runtimes.torch import find_device
from enhance_cli.train.data import Bank, load_pack
from enhance_cli.train.kept import Kept, check_size
from enhance_cli.train.loop import Compute, Report, Trainer
from enhance_cli.train.losses import LOSSES, LossFunction
from enhance_cli.train.pairs import read_pairs
from enhance_cli.train.perceptual import Perceptual
from enhance_cli.train.recipe import Recipe
from enhance_cli.train.schedule import REWARM_STEPS, Budget, Constant, Cooldown, Schedule, Steps
from enhance_cli.train.state import State, check_same_run, read_state, state_path, write_state

Item = TypeVar("Item")


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """What a run needs besides its recipe."""

    data: Path
    """Folder that holds the recipe's packs."""
    out: Path
    budget: float
    """Seconds; of a run with the schedule `wsd`, of this sitting."""
    cooldown: float | None = None
    """Seconds in which the weights of a run with the schedule `wsd` are finished and written to `out`."""
    device: str = "auto"
    precision: str = "auto"
    init: str | None = None
    """Catalog name or file to start from instead of the recipe's own."""
    threads: int | None = None
    compile: bool | None = None
    """Whether torch compiles the network; None for on GPUs only."""
    validate: Path | None = None
    """Folder of pairs of another making to validate on as well."""
    vgg: Path | None = None
    """VGG19's weights in torchvision's layout, for the loss `perceptual`."""
    resume: bool = False
    """Whether to go on with a run."""
    run: Path | None = None
    """The run to go on with or to cool down: its state, or what `keep` left of it; None for the state beside
    `out`."""
    keep: Path | None = None
    """Where to keep the weights as they stand, small enough for a repository, to go on from elsewhere."""


def train(
    recipe: Recipe,
    settings: RunSettings,
    on_report: Callable[[Report], None],
    say: Callable[[str], None] = lambda line: None,
    stop: Callable[[], bool] = lambda: False,
) -> Report:
    """Train, write `settings.out` and return the last report.

    The averaged weights are also written at every report, and beside them the state of the run: with
    `settings.resume` a run that was cut off goes on from it. It goes when the run ends; one with the
    schedule `wsd` has no end. A cool-down leaves the state of its run as it is and writes none of its
    own. When `stop` says so, a run ends early and can be resumed.
    """
    _check_wishes(recipe, settings)
    path = state_path(settings.out)
    source = settings.run or path
    left = _left(source) if settings.resume or settings.cooldown else None
    if path.exists() and (settings.cooldown or not settings.resume):
        raise UsageError(
            f"{path} is the state of a run; give --resume to go on with it, another --out to let it be, or "
            "delete it to start anew"
        )
    remove_leftovers([settings.out, path, *([settings.keep] if settings.keep else [])], time.time())
    if settings.threads:
        torch.set_num_threads(settings.threads)
    compute = choose_compute(settings.device, settings.precision, settings.compile)
    torch.manual_seed(recipe.seed)
    spec, module = _network(recipe)
    start = None if left else _initial(settings.init or recipe.init)
    fresh = warm_start(module, start.module.state_dict()) if start else []
    if isinstance(left, Kept):
        left.fill(recipe, module, say)
    if settings.keep:
        check_size(settings.keep, module)
    loss = _loss(recipe, spec, settings.vgg, compute.device)
    bank, held_out, data = _banks(recipe, settings.data, spec, compute.device)
    foreign = read_pairs(settings.validate, spec, compute.device) if settings.validate else []
    trainer = Trainer(module, spec, recipe, bank, held_out, compute, loss, foreign)
    if settings.vgg:
        data["vgg19_sha256"] = sha256_of(settings.vgg)
    init = {"name": start.name, "sha256": start.sha256, "fresh_tensors": fresh} if start else None
    origin = {
        "data": json.dumps(data),
        "init": json.dumps(init) if init else "none",
        # Asked now: the checkout may move on while this code runs.
        "commit": _commit(),
    }
    same = {"data": origin["data"], **_settled(recipe, settings, compute)}
    if isinstance(left, State):
        check_same_run(source, {**_settled_by_default(), **left.run}, same)
        trainer.restore(left.tensors)
    elif left:
        trainer.count_on(left.seconds, left.iterations)
    if left:
        commits = [*left.run["commit"].split(", "), origin["commit"]]
        origin |= {"init": left.run["init"], "commit": ", ".join(dict.fromkeys(commits))}
    last: list[Report] = []

    def save_and_report(report: Report) -> None:
        last[:] = [report]
        finished = report.ended and (settings.cooldown is not None or recipe.schedule != "wsd")
        # Two validations, worth their time for the weights that are kept.
        cost = trainer.cost_of_float16() if finished else None
        metadata = _provenance(recipe, settings, trainer, origin, report, cost)
        _save(settings.out, recipe, trainer.kept(), metadata)
        if settings.keep:
            _save(settings.keep, recipe, trainer.raw(), metadata)
        if finished:
            path.unlink(missing_ok=True)
        elif not settings.cooldown:
            write_state(path, State(trainer.state(), {**same, **origin}))
        on_report(report)

    trainer.run(_schedule(recipe, settings, trainer), save_and_report, stop)
    return last[0]


def _check_wishes(recipe: Recipe, settings: RunSettings) -> None:
    """UsageError for what does not go together."""
    if recipe.schedule != "wsd" and (settings.cooldown or settings.keep):
        option = "--cooldown" if settings.cooldown else "--keep"
        raise UsageError(
            f"Recipe {recipe.name} has the schedule {recipe.schedule}, whose runs end finished; {option} "
            'is for schedule = "wsd"'
        )
    if settings.cooldown and settings.keep:
        raise UsageError("--cooldown finishes weights, from which no run goes on; leave out --keep")
    if settings.cooldown and (settings.init or settings.resume):
        option = "--init" if settings.init else "--resume"
        raise UsageError(f"--cooldown begins with the weights of a run and ends; leave out {option}")


def _left(source: Path) -> State | Kept:
    """What there is of the run to go on with; UsageError if there is nothing."""
    return Kept.read(source) if source.suffix == ".safetensors" else read_state(source)


def _banks(
    recipe: Recipe, folder: Path, spec: ArchSpec, device: torch.device
) -> tuple[Bank, Bank, dict[str, Any]]:
    """The pictures to train and to validate on, and what weights tell of them."""
    pack = load_pack(folder, recipe.packs, spec.colour, recipe.pack_weights)
    kept, held_out = split(list(zip(pack.pictures, pack.weights, strict=True)), recipe.held_out)
    bank = Bank([p for p, _ in kept], device, recipe.shrink, [weight for _, weight in kept])
    told = {"packs": recipe.packs, "pictures": len(kept), "held_out": len(held_out), "sha256": pack.sha256}
    return bank, Bank([p for p, _ in held_out], device), told


def _schedule(recipe: Recipe, settings: RunSettings, trainer: Trainer) -> Schedule:
    begin, steps = trainer.seconds, recipe.warmup_steps
    if trainer.fresh_at:
        steps = min(steps, REWARM_STEPS)
    if settings.cooldown:
        return Cooldown(begin, begin + settings.cooldown, steps)
    if recipe.schedule == "wsd":
        return Constant(begin, begin + settings.budget, steps)
    if recipe.schedule == "steps":
        return Steps(settings.budget, recipe.drops, recipe.drop)
    return Budget(settings.budget, recipe.warmup)


def _loss(recipe: Recipe, spec: ArchSpec, vgg: Path | None, device: torch.device) -> LossFunction:
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


def _settled(recipe: Recipe, settings: RunSettings, compute: Compute) -> dict[str, str]:
    """What a run that goes on must have in common with its beginning, besides the pictures."""
    settled = {
        **_in_words(recipe),
        "init.name": settings.init or recipe.init or "none",
        "budget": f"{settings.budget:g} s",
        "device": compute.device.type,
        "precision": _precision(compute),
    }
    # Of a run without an end these say how a sitting began and how long it takes.
    free = ("recipe.budget", "recipe.init", "init.name", "budget") if recipe.schedule == "wsd" else ()
    return {key: value for key, value in settled.items() if key not in free}


def _in_words(recipe: Recipe) -> dict[str, str]:
    return {f"recipe.{key}": json.dumps(value) for key, value in asdict(recipe).items()}


def _settled_by_default() -> dict[str, str]:
    """Keys of a recipe that a run had not named, since they came later than it."""
    optional = [f for f in fields(Recipe) if f.default is not MISSING]
    return {f"recipe.{f.name}": json.dumps(f.default) for f in optional}


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


def _network(recipe: Recipe) -> tuple[ArchSpec, nn.Module]:
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


def choose_compute(device: str, precision: str, compile: bool | None = None) -> Compute:
    """The device and arithmetic of a run; DeviceError for one that is not there."""
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    where = torch.device(find_device(device))
    if precision not in ("auto", "float32", "bfloat16"):
        raise UsageError(f"Precision {precision!r} is unknown; use auto, float32 or bfloat16")
    on_gpu = where.type == "cuda"
    mixed = precision == "bfloat16" or (precision == "auto" and (on_gpu or _cpu_has_bfloat16()))
    return Compute(where, torch.bfloat16 if mixed else None, on_gpu if compile is None else compile)


def _cpu_has_bfloat16() -> bool:
    # Without the instructions bfloat16 is emulated and slower than float32.
    capabilities: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def warm_start(module: nn.Module, state: dict[str, Tensor]) -> list[str]:
    """Load every tensor whose name and shape fit; return the names that stay fresh."""
    own = module.state_dict()
    fitting = {key: value for key, value in state.items() if key in own and own[key].shape == value.shape}
    if not fitting:
        raise UsageError("The weights to start from share no tensor with this network; choose another --init")
    module.load_state_dict(fitting, strict=False)
    return sorted(own.keys() - fitting.keys())


def _initial(name: str | None) -> LoadedNet | None:
    if name is None:
        return None
    path = Path(name)
    return load_file(path) if path.suffix == ".safetensors" else load_weights(find(name))


def _provenance(
    recipe: Recipe,
    settings: RunSettings,
    trainer: Trainer,
    origin: Mapping[str, str],
    report: Report,
    float16_costs: float | None,
) -> dict[str, str]:
    """What a weights file says of its making."""
    how = {
        "budget_seconds": settings.budget,
        **({"cooldown_seconds": settings.cooldown} if settings.cooldown else {}),
        "seconds": round(report.seconds, 1),
        "iterations": report.iterations,
        "device": _device_name(trainer.compute.device),
        "precision": _precision(trainer.compute),
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


def _save(path: Path, recipe: Recipe, tensors: dict[str, Tensor], metadata: Mapping[str, str]) -> None:
    module = ARCHITECTURES[recipe.arch].build(**recipe.parameters)
    module.load_state_dict(tensors)
    save_file(
        path, module, arch=recipe.arch, parameters=recipe.parameters, task=recipe.task, metadata=metadata
    )


def _precision(compute: Compute) -> str:
    return "bfloat16" if compute.autocast else "float32"


def _device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"CPU {platform.machine()}"


def _commit() -> str:
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
