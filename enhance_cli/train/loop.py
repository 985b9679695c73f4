"""The training loop: steps at the rate of a schedule until its time is over, and averaged weights."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

import torch
from torch import Tensor, nn

from enhance_cli.arch.contract import ArchSpec
from enhance_cli.train.adversary import Discriminator, contest
from enhance_cli.train.averages import Averages
from enhance_cli.train.branches import add_branches, merged
from enhance_cli.train.data import Bank
from enhance_cli.train.losses import LossFunction, Output, final
from enhance_cli.train.norm import has_norm, measure, quicken
from enhance_cli.train.optimisers import adam, optimisers
from enhance_cli.train.recipe import Recipe
from enhance_cli.train.samples import Sample, Sampler, sampler
from enhance_cli.train.schedule import Schedule
from enhance_cli.train.state import Stores, collect, restore

VALIDATION_SEED = 20_000
VALIDATION_BATCHES = 8
MEASURED_BATCHES = 16
"""Of training pictures, for the statistics of batch norm."""
N_REPORTS = 20
LONGEST_INTERVAL = 180.0
"""Seconds between reports at most: what a killed run loses."""


@dataclass(frozen=True)
class Report:
    """Where a run stands."""

    seconds: float
    iterations: int
    loss: float
    """Mean training loss since the last report that had steps before it, on values in 0..1."""
    psnr: float
    """Validation PSNR of the averaged weights in dB, 8-bit levels."""
    long_psnr: float
    """The same of the average with the long memory."""
    ended: bool
    """Whether the time was over."""
    foreign_psnr: float | None = None
    """Of the better average, on damage of another making."""


@dataclass(frozen=True)
class Compute:
    """Where and in which precision the arithmetic happens."""

    device: torch.device
    autocast: torch.dtype | None
    """bfloat16 for mixed precision, None for plain float32."""
    compile: bool = False


def _autocast(compute: Compute) -> torch.autocast:
    return torch.autocast(compute.device.type, compute.autocast, enabled=compute.autocast is not None)


def samplers(recipe: Recipe, spec: ArchSpec, module: nn.Module) -> list[Sampler]:
    """What draws batches: one sampler, or one for each scale of a network that has a branch for each.

    UsageError if the network is not made for the recipe's task.
    """
    if spec.pre_upsampled or not recipe.scales or not hasattr(module, "turn_to"):
        return [sampler(recipe, spec)]
    alone = replace(recipe, scales=())
    return [sampler(alone, replace(spec, scale=scale)) for scale in recipe.scales]


class Trainer:
    """Trains one network on crops of a bank; `kept` gives the weights to keep."""

    def __init__(
        self,
        module: nn.Module,
        spec: ArchSpec,
        recipe: Recipe,
        bank: Bank,
        held_out: Bank,
        compute: Compute,
        loss: LossFunction,
        foreign: Sequence[Sample] = (),
    ) -> None:
        """`foreign`: damage of another making, which is validated on as well."""
        self.recipe, self.spec, self.bank, self.compute, self.loss = recipe, spec, bank, compute, loss
        torch.manual_seed(recipe.seed)
        self.module = module.to(compute.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.plain = copy.deepcopy(self.module).eval()
        if recipe.branches:
            add_branches(self.module, recipe.branches)
        self.averages = Averages(self.module, recipe.ema)
        self.best = merged(self.averages.usual)
        if compute.device.type == "cpu" and compute.autocast:
            quicken(self.module)
        self.forward = torch.compile(self.module) if compute.compile else self.module
        self.samplers = samplers(recipe, spec, self.module)
        self.foreign = foreign
        self.validation = self._fixed(held_out, VALIDATION_BATCHES)
        self.measured = self._fixed(bank, MEASURED_BATCHES) if has_norm(self.module) else []
        bank.generator.manual_seed(recipe.seed)
        self.optimisers = optimisers(self.module, recipe, compute.autocast or torch.float32)
        self.discriminator: Discriminator | None = None
        if recipe.adversarial:
            made = Discriminator(n_colours=bank.pixels.shape[1], side=recipe.patch * spec.scale)
            made.to(compute.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
            self.optimisers.append(adam(made.parameters(), recipe))
            self.discriminator = made
        self.iterations = 0
        self.fresh_at = 0
        """The step at which the optimiser's moments and the averages began."""
        self.seconds = 0.0
        """Training time at the last report, that of earlier sittings included."""
        self.loss_seen = math.nan

    def run(
        self,
        schedule: Schedule,
        on_report: Callable[[Report], None],
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        """Train until the time of the schedule is over, validations included, or `stop` says so.

        Reports come at a fixed interval and at the end.
        """
        begun = time.perf_counter() - self.seconds
        interval = min((schedule.end - schedule.begin) / N_REPORTS, LONGEST_INTERVAL)
        loss_sum, since = torch.zeros((), device=self.compute.device), 0

        def report(elapsed: float, ended: bool) -> None:
            nonlocal since
            if since:
                self.loss_seen = float(loss_sum) / since
            loss_sum.zero_()
            since = 0
            self.seconds = elapsed
            usual, long = self.validate()
            foreign = self.score(self.kept(), self.foreign) if self.foreign else None
            on_report(Report(elapsed, self.iterations, self.loss_seen, usual, long, ended, foreign))

        while (elapsed := time.perf_counter() - begun) < schedule.end and not stop():
            loss_sum += self.step(schedule.share(elapsed, self.iterations - self.fresh_at))
            since += 1
            if elapsed // interval > self.seconds // interval:
                report(elapsed, ended=False)
        report(time.perf_counter() - begun, ended=elapsed >= schedule.end)

    def state(self) -> dict[str, Tensor]:
        """Everything that training changes, by name, as it stands at a report."""
        progress = [self.seconds, self.iterations, self.fresh_at, self.loss_seen]
        made = torch.tensor(progress, dtype=torch.float64)
        return {"progress": made, **collect(self._stores(), self.optimisers, self._generators())}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what `state` gave, before the first step; UsageError if it does not fit."""
        restore(state, self._stores(), self.optimisers, self._generators())
        self.seconds, self.iterations, self.fresh_at, self.loss_seen = (
            kind(value)
            for kind, value in zip((float, int, int, float), state["progress"].tolist(), strict=True)
        )

    def count_on(self, seconds: float, iterations: int) -> None:
        """Count from where an earlier sitting stood that left no more than its weights."""
        self.seconds, self.iterations, self.fresh_at = seconds, iterations, iterations
        # Other crops than those that the run began with.
        torch.manual_seed(self.recipe.seed + iterations)
        self.bank.generator.manual_seed(self.recipe.seed + iterations)

    def _stores(self) -> Stores:
        averages = {"average": self.averages.usual, "long": self.averages.long}
        stores = {"network": self.module.state_dict(), **averages}
        return {**stores, "discriminator": self.discriminator.state_dict()} if self.discriminator else stores

    def _generators(self) -> dict[str, torch.Generator]:
        """All that draw anything; NumPy's are made anew for each batch from torch's."""
        return {"torch": torch.default_generator, "bank": self.bank.generator}

    def step(self, lr_share: float) -> Tensor:
        """Train on one batch at this share of the recipe's learning rate; return the loss of the content."""
        lr = self.recipe.lr * lr_share
        for group in chain.from_iterable(optimiser.param_groups for optimiser in self.optimisers):
            group["lr"] = lr
        self.module.train()
        sample = self.draw(self.bank)
        output, clean = self._apply(self.forward, sample, self.compute), sample.clean / 255
        loss = self.loss(output, clean)
        total = loss
        if self.discriminator:
            with _autocast(self.compute):
                both = contest(self.discriminator, final(output), clean, self.recipe.adversarial)
            total = loss + both
        for optimiser in self.optimisers:
            optimiser.zero_grad(set_to_none=True)
        total.backward()
        if self.recipe.clip_by == "norm":
            nn.utils.clip_grad_norm_(self.module.parameters(), self.recipe.clip)
        elif lr > 0:  # rounded to 0 at the very end of the cosine, where nothing moves any more
            nn.utils.clip_grad_value_(self.module.parameters(), self.recipe.clip / lr)
        for optimiser in self.optimisers:
            optimiser.step()
        self.iterations += 1
        self.averages.update(self.iterations, self.iterations - self.fresh_at)
        return loss.detach()

    def draw(self, bank: Bank) -> Sample:
        """A batch, of one of the scales by chance where the network has a branch for each."""
        chosen = int(torch.randint(len(self.samplers), ())) if len(self.samplers) > 1 else 0
        return self.samplers[chosen](bank, self.recipe.batch)

    def _apply(self, module: Callable[..., Output], sample: Sample, compute: Compute) -> Output:
        """The network's output(s) for a sample, scaled to 0..1 float32."""
        if len(self.samplers) > 1:
            for network in (self.module, self.plain):
                network.turn_to(sample.clean.shape[-1] // sample.degraded.shape[-1])
        x = sample.degraded.contiguous(memory_format=torch.channels_last) * (self.spec.value_range / 255)
        inputs = (x, sample.condition) if self.spec.condition else (x,)
        with _autocast(compute):
            output = module(*inputs)
        if isinstance(output, Tensor):
            return output.float() / self.spec.value_range
        return [one.float() / self.spec.value_range for one in output]

    def _fixed(self, bank: Bank, n_batches: int) -> list[Sample]:
        """Batches that are the same in every run of the recipe."""
        bank.generator.manual_seed(VALIDATION_SEED)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(VALIDATION_SEED)
            return [self.draw(bank) for _ in range(n_batches)]

    def validate(self) -> tuple[float, float]:
        """Mean PSNR of the usual and of the long average over fixed crops of held-out pictures.

        `kept` gives the better of the two from now on.
        """
        averages = [self._settled(merged(one)) for one in (self.averages.usual, self.averages.long)]
        usual, long = (self.score(one, self.validation) for one in averages)
        self.best = averages[long > usual]
        return usual, long

    def kept(self) -> dict[str, Tensor]:
        """The averaged weights as the network has them, branches merged."""
        return self.best

    def _settled(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """The state with batch norm's statistics measured on batches of the training pictures."""
        if not self.measured:
            return state

        def apply() -> None:
            for sample in self.measured:
                self._apply(self.plain, sample, self.compute)

        self.plain.load_state_dict(state)
        measure(self.plain, apply)
        return {key: value.clone() for key, value in self.plain.state_dict().items()}

    def raw(self) -> dict[str, Tensor]:
        """The weights as they stand, branches merged."""
        return merged({key: value.detach() for key, value in self.module.state_dict().items()})

    @torch.no_grad()
    def cost_of_float16(self) -> float:
        """How many dB of validation PSNR it costs to keep the averaged weights as float16.

        Computed in float32 either way: bfloat16 would round both alike.
        """
        exact = replace(self.compute, autocast=None)
        kept = self.kept()
        rounded = {key: v.half().to(v.dtype) if v.is_floating_point() else v for key, v in kept.items()}
        return self.score(kept, self.validation, exact) - self.score(rounded, self.validation, exact)

    @torch.no_grad()
    def score(
        self, state: dict[str, Tensor], samples: Sequence[Sample], compute: Compute | None = None
    ) -> float:
        """Mean PSNR of weights, those of the network without branches, over samples."""
        self.plain.load_state_dict(state)
        found = []
        for sample in samples:
            result = final(self._apply(self.plain, sample, compute or self.compute))
            levels = (result * 255).round().clamp(0, 255)
            # At most 48 dB each: a sharp sample left untouched would outweigh all others.
            error = (levels - sample.clean).square().mean((1, 2, 3)).clamp_min(1.0)
            found.append(10 * torch.log10(255**2 / error))
        return float(torch.cat(found).mean())
