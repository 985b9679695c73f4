"""One training run from a recipe to a weights file that tells how it was made."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch

from enhance_cli.checkpoints.store import sha256_of
from enhance_cli.errors import UsageError
from enhance_cli.imaging.files import remove_leftovers
from enhance_cli.train.kept import Kept, check_size
from enhance_cli.train.loop import Compute, Report, Trainer
from enhance_cli.train.pairs import read_pairs
from enhance_cli.train.provenance import commit, precision_of, provenance, save
from enhance_cli.train.recipe import Recipe
from enhance_cli.train.schedule import REWARM_STEPS, Budget, Constant, Cooldown, Schedule, Steps
from enhance_cli.train.setup import banks, choose_compute, initial, loss_of, network, warm_start
from enhance_cli.train.state import State, check_same_run, read_state, state_path, write_state


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

    def check(self, recipe: Recipe) -> None:
        """UsageError for what does not go together."""
        if recipe.schedule != "wsd" and (self.cooldown or self.keep):
            option = "--cooldown" if self.cooldown else "--keep"
            raise UsageError(
                f"Recipe {recipe.name} has the schedule {recipe.schedule}, whose runs end finished; {option} "
                'is for schedule = "wsd"'
            )
        if self.cooldown and self.keep:
            raise UsageError("--cooldown finishes weights, from which no run goes on; leave out --keep")
        if self.cooldown and (self.init or self.resume):
            option = "--init" if self.init else "--resume"
            raise UsageError(f"--cooldown begins with the weights of a run and ends; leave out {option}")


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
    settings.check(recipe)
    path = state_path(settings.out)
    source = settings.run or path
    left: State | Kept | None = None
    if settings.resume or settings.cooldown:
        left = Kept.read(source) if source.suffix == ".safetensors" else read_state(source)
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
    spec, module = network(recipe)
    start = None if left else initial(settings.init or recipe.init)
    fresh = warm_start(module, start.module.state_dict()) if start else []
    if isinstance(left, Kept):
        left.fill(recipe, module, say)
    if settings.keep:
        check_size(settings.keep, module)
    loss = loss_of(recipe, spec, settings.vgg, compute.device)
    bank, held_out, data = banks(recipe, settings.data, spec, compute.device)
    foreign = read_pairs(settings.validate, spec, compute.device) if settings.validate else []
    trainer = Trainer(module, spec, recipe, bank, held_out, compute, loss, foreign)
    if settings.vgg:
        data["vgg19_sha256"] = sha256_of(settings.vgg)
    init = {"name": start.name, "sha256": start.sha256, "fresh_tensors": fresh} if start else None
    origin = {
        "data": json.dumps(data),
        "init": json.dumps(init) if init else "none",
        # Asked now: the checkout may move on while this code runs.
        "commit": commit(),
    }
    same = {"data": origin["data"], **_settled(recipe, settings, compute)}
    if isinstance(left, State):
        # Keys that recipes got after the run began had their default in it.
        defaults = {f.name: f.default for f in fields(Recipe) if f.default is not MISSING}
        check_same_run(source, {**_in_words(defaults), **left.run}, same)
        trainer.restore(left.tensors)
    elif left:
        trainer.count_on(left.seconds, left.iterations)
    if left:
        commits = [*left.run["commit"].split(", "), origin["commit"]]
        origin |= {"init": left.run["init"], "commit": ", ".join(dict.fromkeys(commits))}
    times = {"budget_seconds": settings.budget}
    if settings.cooldown:
        times = {"cooldown_seconds": settings.cooldown}
    last: list[Report] = []

    def save_and_report(report: Report) -> None:
        last[:] = [report]
        finished = report.ended and (settings.cooldown is not None or recipe.schedule != "wsd")
        # Two validations, worth their time for the weights that are kept.
        cost = trainer.cost_of_float16() if finished else None
        metadata = provenance(recipe, trainer, origin, report, times, cost)
        save(settings.out, recipe, trainer.kept(), metadata)
        if settings.keep:
            save(settings.keep, recipe, trainer.raw(), metadata)
        if finished:
            path.unlink(missing_ok=True)
        elif not settings.cooldown:
            write_state(path, State(trainer.state(), {**same, **origin}))
        on_report(report)

    trainer.run(_schedule(recipe, settings, trainer), save_and_report, stop)
    return last[0]


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


def _settled(recipe: Recipe, settings: RunSettings, compute: Compute) -> dict[str, str]:
    """What a run that goes on must have in common with its beginning, besides the pictures."""
    settled = {
        **_in_words(asdict(recipe)),
        "init.name": settings.init or recipe.init or "none",
        "budget": f"{settings.budget:g} s",
        "device": compute.device.type,
        "precision": precision_of(compute),
    }
    # Of a run without an end these say how a sitting began and how long it takes.
    free = ("recipe.budget", "recipe.init", "init.name", "budget") if recipe.schedule == "wsd" else ()
    return {key: value for key, value in settled.items() if key not in free}


def _in_words(keys: Mapping[str, Any]) -> dict[str, str]:
    return {f"recipe.{key}": json.dumps(value) for key, value in keys.items()}
