from dataclasses import replace
from itertools import count

import pytest
import torch
from skimage import data
from torch import nn

from enhance_cli.arch.contract import ArchSpec
from enhance_cli.errors import UsageError
from enhance_cli.train import adversary, loop
from enhance_cli.train.data import Bank
from enhance_cli.train.loop import Compute, Report, Trainer
from enhance_cli.train.losses import LOSSES
from enhance_cli.train.muon import Muon
from enhance_cli.train.recipe import Recipe
from enhance_cli.train.schedule import Budget, Constant

RECIPE = Recipe(
    name="t",
    arch="x",
    task="denoise",
    packs=("p",),
    patch=16,
    batch=2,
    lr=1e-2,
    budget="1s",
    sigma=(20.0, 30.0),
)


class Tiny(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)
        self.norm = nn.BatchNorm2d(3)

    def forward(self, x: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        return self.norm(self.conv(x)) + condition


class Plus(nn.Module):
    """Adds a number, in the range of values that the network is given."""

    def __init__(self, much: float) -> None:
        super().__init__()
        self.much = nn.Parameter(torch.tensor(much))

    def forward(self, x: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        return x + self.much


def trainer(value_range: float = 1.0, recipe: Recipe = RECIPE, module: nn.Module | None = None) -> Trainer:
    torch.manual_seed(0)
    banks = [Bank([data.astronaut()[:128, :128]], torch.device("cpu"), recipe.shrink) for _ in range(2)]
    spec = ArchSpec(colour="rgb", halo=1, condition="sigma", value_range=value_range)
    module = module or Tiny()
    return Trainer(module, spec, recipe, *banks, Compute(torch.device("cpu"), None), LOSSES[recipe.loss])


def ticking(monkeypatch, start: int = 0) -> None:
    clock = count(start)
    monkeypatch.setattr(loop.time, "perf_counter", lambda: float(next(clock)))


def test_the_cost_of_float16_is_that_of_rounding_the_averaged_weights(monkeypatch):
    made = trainer()
    made.compute = Compute(torch.device("cpu"), torch.bfloat16)
    scored = []

    def score(state, samples, compute):
        scored.append((state, compute.autocast))
        return 30.0 - len(scored)

    monkeypatch.setattr(made, "score", score)
    assert made.cost_of_float16() == 1
    (exact, _), (rounded, _) = scored
    assert [precision for _, precision in scored] == [None, None]
    assert torch.equal(exact["conv.weight"], made.averages.usual["conv.weight"])
    assert torch.equal(rounded["conv.weight"], exact["conv.weight"].half().float())
    assert not torch.equal(rounded["conv.weight"], exact["conv.weight"])


def test_run_ends_on_time_and_learns(monkeypatch):
    made = trainer()
    reports: list[Report] = []
    before, _ = made.validate()
    ticking(monkeypatch)
    made.run(Budget(31, 0.03), reports.append)
    assert reports[-1].seconds == 32
    assert reports[-1].iterations == made.iterations == 30
    assert len(reports) == loop.N_REPORTS
    assert reports[-1].psnr > before + 3


def test_muon_takes_the_matrices_and_adam_the_rest():
    made = trainer(recipe=replace(RECIPE, optimiser="muon"))
    muon, adam = made.optimisers
    assert isinstance(muon, Muon)
    assert [p.ndim for p in muon.param_groups[0]["params"]] == [4]
    assert [p.ndim for p in adam.param_groups[0]["params"]] == [1, 1, 1]
    before, _ = made.validate()
    for _ in range(30):
        made.step(1.0)
    assert {group["lr"] for one in made.optimisers for group in one.param_groups} == {RECIPE.lr}
    assert made.validate()[0] > before + 3


def test_branches_are_trained_and_kept_as_one_weight():
    made = trainer(recipe=replace(RECIPE, branches=2))
    keys = Tiny().state_dict().keys()
    assert made.kept().keys() == keys
    before, _ = made.validate()
    for _ in range(30):
        made.step(1.0)
    assert float(made.averages.usual["conv.parametrizations.weight.0.squeeze"].abs().max()) > 0
    assert not torch.equal(
        made.kept()["conv.weight"], made.averages.usual["conv.parametrizations.weight.original"]
    )
    assert made.validate()[0] > before + 3


def test_average_lags_and_validation_leaves_the_weights_alone():
    made = trainer()
    for _ in range(5):
        made.step(1.0)
    weight = made.module.state_dict()["conv.weight"].clone()
    assert not torch.equal(made.averages.usual["conv.weight"], weight)
    made.validate()
    assert torch.equal(made.module.state_dict()["conv.weight"], weight)
    assert made.averages.usual["norm.num_batches_tracked"] == 5


def test_value_range_is_given_to_the_network_and_taken_back():
    sevenths = [trainer(value_range, module=Plus(value_range / 7)) for value_range in (1.0, 255.0)]
    (sample, *_) = sevenths[0].validation
    levels = (sample.degraded + 255 / 7).round().clamp(0, 255)
    error = (levels - sample.clean).square().mean((1, 2, 3))
    expected = float((10 * torch.log10(255**2 / error)).mean())
    for made in sevenths:
        assert made.score(made.kept(), [sample]) == pytest.approx(expected, abs=1e-3)


@pytest.fixture
def small_discriminator(monkeypatch) -> None:
    monkeypatch.setattr(adversary, "WIDTHS", (4, 8))
    monkeypatch.setattr(adversary, "N_DENSE", 5)


@pytest.mark.parametrize(
    "keys", [{}, {"optimiser": "muon", "branches": 2}, {"optimiser": "sgd"}, {"adversarial": 0.1}], ids=str
)
def test_a_run_that_goes_on_ends_as_one_that_was_never_cut_off(monkeypatch, small_discriminator, keys):
    recipe = replace(RECIPE, **keys, shrink=(1.0, 1.5))
    whole, states, reports = trainer(recipe=recipe), [], []

    def keep(report: Report) -> None:
        states.append({name: tensor.clone() for name, tensor in whole.state().items()})
        reports.append(report)

    ticking(monkeypatch)
    whole.run(Budget(31, 0.03), keep)
    resumed, later = trainer(recipe=recipe), []
    resumed.restore(states[7])
    ticking(monkeypatch, start=1000)
    resumed.run(Budget(31, 0.03), later.append)
    assert reports[7].seconds > 5
    assert later == reports[8:]
    end = resumed.state()
    assert end.keys() == states[-1].keys()
    assert all(torch.equal(end[name], tensor) for name, tensor in states[-1].items())


def test_a_sitting_without_a_step_repeats_the_loss_that_was_seen(monkeypatch):
    made, reports = trainer(), []
    ticking(monkeypatch)
    made.run(Budget(8, 0.03), reports.append)
    seen = reports[-1].loss
    resumed = trainer()
    resumed.restore(made.state())
    resumed.run(Budget(8, 0.03), reports.append)
    assert reports[-1].iterations == made.iterations
    assert reports[-1].loss == seen > 0


def test_reports_come_every_three_minutes_of_a_long_sitting(monkeypatch):
    made, reports = trainer(), []
    clock = count(0, 30)
    monkeypatch.setattr(loop.time, "perf_counter", lambda: float(next(clock)))
    made.run(Constant(0, 36_000, 10), reports.append, stop=lambda: made.iterations == 60)
    assert [round(report.seconds / 180) for report in reports[:-1]] == list(range(1, 11))
    assert [report.ended for report in reports] == [False] * len(reports)


def test_a_stop_ends_the_run_with_a_report(monkeypatch):
    made, reports = trainer(), []
    ticking(monkeypatch)
    made.run(Budget(100, 0.03), reports.append, stop=lambda: made.iterations == 3)
    (last,) = reports
    assert (last.iterations, last.ended) == (3, False)


def test_the_better_average_is_kept(monkeypatch):
    made = trainer()
    for _ in range(20):
        made.step(1.0)
    assert not torch.equal(made.averages.usual["conv.weight"], made.averages.long["conv.weight"])
    for scores, average in (([20.0, 21.0], made.averages.long), ([21.0, 20.0], made.averages.usual)):
        left = iter(scores)
        monkeypatch.setattr(made, "score", lambda state, samples, left=left: next(left))
        assert made.validate() == tuple(scores)
        assert torch.equal(made.kept()["conv.weight"], average["conv.weight"])


def test_batch_norm_has_the_statistics_of_the_averaged_weights():
    made = trainer()
    for _ in range(5):
        made.step(1.0)
    made.validate()
    kept = made.kept()
    maps = torch.cat(
        [
            torch.nn.functional.conv2d(
                sample.degraded / 255, kept["conv.weight"], kept["conv.bias"], padding=1
            )
            for sample in made.measured
        ]
    )
    assert torch.allclose(kept["norm.running_mean"], maps.mean((0, 2, 3)), atol=1e-4)
    assert not torch.allclose(kept["norm.running_mean"], made.averages.usual["norm.running_mean"], atol=1e-2)


def test_other_crops_come_where_only_the_weights_were_kept():
    fresh, later = trainer(), trainer()
    later.count_on(100.0, 40)
    assert (later.seconds, later.iterations) == (100.0, 40)
    first, second = (one.draw(one.bank).clean for one in (fresh, later))
    assert not torch.equal(first, second)


def test_moments_take_the_strides_of_their_parameters():
    begun, resumed = trainer(), trainer()
    begun.step(1.0)
    state = {name: tensor.contiguous() for name, tensor in begun.state().items()}
    resumed.restore(state)
    (adam,) = resumed.optimisers
    weight = resumed.module.get_parameter("conv.weight")
    assert adam.state[weight]["exp_avg"].stride() == weight.stride() != state["network.conv.weight"].stride()


def test_a_state_of_another_network_is_a_usage_error():
    made = trainer()
    state = {name: tensor for name, tensor in made.state().items() if name != "average.conv.bias"}
    with pytest.raises(UsageError, match=r"average\.conv\.bias"):
        trainer().restore(state)


def test_clipping_by_value_bounds_every_gradient_times_the_learning_rate():
    made = trainer(recipe=replace(RECIPE, optimiser="sgd", lr=5.0, clip_by="value", clip=1e-3))
    before = {key: value.detach().clone() for key, value in made.module.named_parameters()}
    made.step(0.2)
    moved = torch.cat([(p.detach() - before[k]).flatten() for k, p in made.module.named_parameters()]).abs()
    assert float(moved.max()) == pytest.approx(1e-3, rel=1e-3)
    assert float(moved.min()) < 9e-4
    largest = max(float(p.grad.abs().max()) for p in made.module.parameters())
    assert largest == pytest.approx(1e-3 / (5.0 * 0.2))


def test_clipping_by_value_stands_a_learning_rate_of_nothing():
    made = trainer(recipe=replace(RECIPE, clip_by="value"))
    before = made.module.get_parameter("conv.weight").detach().clone()
    made.step(0.0)
    assert torch.equal(made.module.get_parameter("conv.weight"), before)


def test_clipping_by_norm_bounds_the_whole_gradient():
    made = trainer(recipe=replace(RECIPE, clip=1e-3))
    made.step(1.0)
    norm = torch.cat([p.grad.flatten() for p in made.module.parameters()]).norm()
    assert float(norm) == pytest.approx(1e-3, rel=1e-2)


def test_either_side_of_a_contest_moves_its_own_weights_alone(small_discriminator):
    made = trainer(recipe=replace(RECIPE, adversarial=10.0))
    ours, true = torch.rand(2, 2, 3, 16, 16)
    together, alone = (ours.clone().requires_grad_() for _ in range(2))
    adversary.contest(made.discriminator, together, true, weight=10.0).backward()
    judged = [p.grad.clone() for p in made.discriminator.parameters()]
    made.discriminator.zero_grad()
    adversary.detection(made.discriminator, ours, true).backward()
    assert all(
        torch.allclose(a, p.grad) for a, p in zip(judged, made.discriminator.parameters(), strict=True)
    )
    (10 * adversary.deception(made.discriminator, alone)).backward()
    assert torch.allclose(together.grad, alone.grad)


def test_a_step_trains_the_discriminator_along(small_discriminator):
    made = trainer(recipe=replace(RECIPE, adversarial=1e-3))
    before = [p.detach().clone() for p in made.discriminator.parameters()]
    # What is told is the loss of the content alone.
    assert float(made.step(0.5)) == float(trainer().step(0.5))
    pairs = zip(before, made.discriminator.parameters(), strict=True)
    assert not any(torch.equal(old, new) for old, new in pairs)
    assert [group["lr"] for one in made.optimisers for group in one.param_groups] == [RECIPE.lr / 2] * 2
