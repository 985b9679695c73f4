import json
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
import torch
from skimage import data, io
from small_vgg import NARROW, write_vgg

from enhance_cli.arch.registry import ARCHITECTURES
from enhance_cli.checkpoints import store
from enhance_cli.checkpoints.catalog import find
from enhance_cli.checkpoints.reader import load_file, save_file
from enhance_cli.checkpoints.store import sha256_of
from enhance_cli.errors import UsageError
from enhance_cli.train import kept as kept_runs
from enhance_cli.train import loop, perceptual, run
from enhance_cli.train.loop import Report
from enhance_cli.train.recipe import Recipe
from enhance_cli.train.run import RunSettings, train
from enhance_cli.train.state import read_state, state_path, write_state

RECIPE = Recipe(
    name="tiny",
    arch="compact",
    task="sr",
    packs=("pack",),
    held_out=1,
    patch=16,
    batch=2,
    lr=1e-3,
    budget="1s",
    parameters={"scale": 2, "n_feats": 4, "n_blocks": 1},
)


@pytest.fixture
def settings(tmp_path) -> RunSettings:
    (tmp_path / "pack").mkdir()
    for i in range(3):
        io.imsave(tmp_path / "pack" / f"{i}.png", data.astronaut()[i * 100 :][:96, :96], check_contrast=False)
    return RunSettings(data=tmp_path, out=tmp_path / "tiny.safetensors", budget=0.5, precision="float32")


def test_weights_file_tells_how_it_was_made(settings):
    report = train(RECIPE, settings, lambda report: None)
    net = load_file(settings.out)
    assert net.arch == "compact" and net.task == "sr" and net.spec.scale == 2
    assert json.loads(net.metadata["recipe"])["patch"] == 16
    assert json.loads(net.metadata["training"])["iterations"] == report.iterations > 0
    told = json.loads(net.metadata["data"])
    assert (told["pictures"], told["held_out"]) == (2, 1)
    assert json.loads(net.metadata["metrics"])["validation_psnr"] == pytest.approx(
        max(report.psnr, report.long_psnr), abs=1e-3
    )
    assert net.metadata["init"] == "none"


def test_weights_file_tells_what_float16_costs(settings, monkeypatch):
    monkeypatch.setattr(run.Trainer, "cost_of_float16", lambda trainer: 0.00125)
    train(RECIPE, settings, lambda report: None)
    assert json.loads(load_file(settings.out).metadata["metrics"])["float16_costs"] == 0.00125


def test_warm_start_takes_what_fits_and_lists_the_rest(settings, tmp_path):
    train(RECIPE, settings, lambda report: None)
    other = Recipe(**{**RECIPE.__dict__, "parameters": {**RECIPE.parameters, "scale": 3}})
    second = RunSettings(
        **{**settings.__dict__, "out": tmp_path / "x3.safetensors", "init": str(settings.out), "budget": 0.01}
    )
    train(other, second, lambda report: None)
    net = load_file(second.out)
    assert json.loads(net.metadata["init"])["fresh_tensors"] == ["tail.bias", "tail.weight"]
    before = load_file(settings.out).module.state_dict()["head.weight"]
    assert torch.allclose(net.module.state_dict()["head.weight"], before, atol=5e-3)


def test_a_network_that_keeps_the_size_is_trained_on_enlarged_luma(settings):
    made = {"arch": "dncnn", "parameters": {"n_feats": 4, "n_layers": 3}, "patch": 24, "batch": 4}
    train(Recipe(**{**RECIPE.__dict__, **made, "scales": (2, 3)}), settings, lambda report: None)
    spec = load_file(settings.out).spec
    assert (spec.colour, spec.pre_upsampled) == ("y", True)


def test_the_perceptual_loss_asks_for_the_weights_of_vgg19(settings):
    with pytest.raises(UsageError, match=r"not shipped.*--vgg"):
        train(replace(RECIPE, loss="perceptual"), settings, lambda report: None)


def test_the_perceptual_loss_is_for_colour(settings):
    made = {"arch": "dncnn", "parameters": {"n_feats": 4, "n_layers": 3}, "task": "denoise"}
    with pytest.raises(UsageError, match="RGB"):
        train(replace(RECIPE, loss="perceptual", **made), settings, lambda report: None)


def test_vgg19_that_no_loss_uses_is_a_usage_error(settings):
    with pytest.raises(UsageError, match="l1 uses no VGG19"):
        train(RECIPE, replace(settings, vgg=settings.data / "vgg19.pth"), lambda report: None)


def test_weights_tell_which_vgg19_judged_them(settings, monkeypatch):
    monkeypatch.setattr(perceptual, "STAGES", NARROW)
    vgg = settings.data / "vgg19.safetensors"
    write_vgg(vgg)
    report = train(replace(RECIPE, loss="perceptual"), replace(settings, vgg=vgg), lambda report: None)
    assert report.iterations > 0
    told = json.loads(load_file(settings.out).metadata["data"])
    assert told["vgg19_sha256"] == sha256_of(vgg)


def test_a_run_of_steps_drops_the_rate_and_ends(ticking, monkeypatch):
    rates, step = [], run.Trainer.step
    monkeypatch.setattr(run.Trainer, "step", lambda self, rate: rates.append(rate) or step(self, rate))
    recipe = replace(RECIPE, schedule="steps", drops=1, beta2=0.999)
    assert train(recipe, ticking, lambda report: None).ended
    assert sorted(set(rates)) == [0.5, 1]
    assert not state_path(ticking.out).exists()


def test_all_branches_of_a_network_are_trained_together(ticking):
    parameters = {"scale": 2, "n_blocks": 1, "n_feats": 4}
    recipe = replace(RECIPE, arch="mdsr", parameters=parameters, scales=(2, 3, 4), patch=8, batch=1)
    torch.manual_seed(recipe.seed)
    begun = ARCHITECTURES["mdsr"].build(**parameters).state_dict()
    train(recipe, ticking, lambda report: None)
    after = load_file(ticking.out).module.state_dict()
    moved = {key for key, value in after.items() if not torch.allclose(value, begun[key], atol=1e-4)}
    for branch in range(3):
        assert any(key.startswith(f"upsample.{branch}") for key in moved)


def test_pairs_of_another_making_are_validated_on(settings, tmp_path):
    for folder, side in (("noisy", 32), ("clean", 64)):
        (tmp_path / "pairs" / folder).mkdir(parents=True)
        picture = data.astronaut()[:64, :64]
        shrunk = picture[:: 64 // side, :: 64 // side]
        io.imsave(tmp_path / "pairs" / folder / "a.png", shrunk, check_contrast=False)
    report = train(RECIPE, replace(settings, validate=tmp_path / "pairs"), lambda report: None)
    assert 10 < report.foreign_psnr < 40
    metrics = json.loads(load_file(settings.out).metadata["metrics"])
    assert metrics["foreign_psnr"] == pytest.approx(report.foreign_psnr, abs=1e-3)


def test_unknown_arch_is_a_usage_error(settings):
    with pytest.raises(UsageError, match="nothing"):
        train(Recipe(**{**RECIPE.__dict__, "arch": "nothing"}), settings, lambda report: None)


def test_parameters_that_do_not_fit_are_a_usage_error(settings):
    with pytest.raises(UsageError, match="n_layers"):
        train(Recipe(**{**RECIPE.__dict__, "parameters": {"n_layers": 3}}), settings, lambda report: None)


def test_the_commit_is_the_one_that_the_run_began_with(settings, monkeypatch):
    commits = iter(["first", "second", "third"])
    monkeypatch.setattr(run, "commit", lambda: next(commits))
    train(RECIPE, settings, lambda report: None)
    assert load_file(settings.out).metadata["commit"] == "first"


class CutOff(Exception):
    pass


def cut_off(report: Report) -> None:
    if report.seconds > 8:
        raise CutOff


@pytest.fixture
def ticking(settings, monkeypatch) -> RunSettings:
    """A run of about twenty steps, however fast the machine."""
    clock = count()
    monkeypatch.setattr(loop.time, "perf_counter", lambda: float(next(clock)))
    return replace(settings, budget=20.5)


def test_a_run_that_was_cut_off_goes_on_and_ends_as_if_it_had_not_been(ticking, monkeypatch):
    whole = train(RECIPE, replace(ticking, out=ticking.data / "whole.safetensors"), lambda report: None)
    monkeypatch.setattr(run, "commit", lambda: "first")
    with pytest.raises(CutOff):
        train(RECIPE, ticking, cut_off)
    assert json.loads(load_file(ticking.out).metadata["training"])["iterations"] == 9
    monkeypatch.setattr(run, "commit", lambda: "second")
    resumed = train(RECIPE, replace(ticking, resume=True), lambda report: None)
    assert resumed == whole
    nets = [load_file(ticking.data / f"{name}.safetensors") for name in ("whole", "tiny")]
    weights = [net.module.state_dict() for net in nets]
    assert all(torch.equal(value, weights[1][key]) for key, value in weights[0].items())
    told = [json.loads(net.metadata["training"]) for net in nets]
    assert told[0] == told[1]
    assert (told[1]["iterations"], told[1]["seconds"]) == (20, 22)
    assert nets[1].metadata["commit"] == "first, second"
    assert not state_path(ticking.out).exists()


def test_a_run_that_goes_on_says_what_it_started_from_even_if_that_is_no_more(ticking):
    train(RECIPE, ticking, lambda report: None)
    again = replace(ticking, init=str(ticking.out))
    with pytest.raises(CutOff):
        train(RECIPE, again, cut_off)
    written = load_file(ticking.out).metadata["init"]
    train(RECIPE, replace(again, resume=True), lambda report: None)
    assert load_file(ticking.out).metadata["init"] == written != "none"


@pytest.mark.parametrize(
    ("recipe", "changed", "word"),
    [
        ({"lr": 2e-3}, {}, r"recipe\.lr"),
        ({"parameters": {"scale": 2, "n_feats": 8, "n_blocks": 1}}, {}, r"recipe\.parameters"),
        ({}, {"budget": 30.0}, "budget"),
        ({}, {"init": "compact-sr-x2"}, r"init\.name"),
    ],
)
def test_a_run_goes_on_as_it_began_or_not_at_all(ticking, recipe, changed, word):
    with pytest.raises(CutOff):
        train(RECIPE, ticking, cut_off)
    with pytest.raises(UsageError, match=word):
        train(replace(RECIPE, **recipe), replace(ticking, resume=True, **changed), lambda report: None)


def test_what_a_cut_off_run_left_is_not_written_over(ticking):
    with pytest.raises(CutOff):
        train(RECIPE, ticking, cut_off)
    left = state_path(ticking.out).read_bytes()
    with pytest.raises(UsageError, match="--resume"):
        train(RECIPE, ticking, lambda report: None)
    assert state_path(ticking.out).read_bytes() == left


def test_a_run_does_not_go_on_with_other_pictures(ticking):
    with pytest.raises(CutOff):
        train(RECIPE, ticking, cut_off)
    io.imsave(ticking.data / "pack" / "9.png", data.astronaut()[:96, 50:146], check_contrast=False)
    with pytest.raises(UsageError, match="data = "):
        train(RECIPE, replace(ticking, resume=True), lambda report: None)


WSD = replace(RECIPE, schedule="wsd", warmup_steps=5)


def sitting(ticking: RunSettings, **changed: object) -> Report:
    return train(WSD, replace(ticking, **changed), lambda report: None)


def test_a_run_without_end_goes_on_for_another_sitting(ticking):
    first = sitting(ticking)
    assert state_path(ticking.out).exists()
    second = sitting(ticking, resume=True, budget=10.5)
    assert (first.iterations, second.iterations) == (20, 30)
    assert second.seconds == pytest.approx(first.seconds + 10.5, abs=1.5)
    assert json.loads(load_file(ticking.out).metadata["training"])["iterations"] == 30


def test_a_run_without_end_goes_on_after_the_recipe_learnt_new_keys(ticking):
    sitting(ticking)
    state = read_state(state_path(ticking.out))
    del state.run["recipe.photo"]
    write_state(state_path(ticking.out), state)
    assert sitting(ticking, resume=True).iterations > 20
    del state.run["recipe.schedule"]
    write_state(state_path(ticking.out), state)
    with pytest.raises(UsageError, match=r"recipe\.schedule"):
        sitting(ticking, resume=True)


def test_a_cooldown_finishes_weights_and_leaves_the_run_alone(ticking, monkeypatch):
    sitting(ticking)
    left = {path: path.read_bytes() for path in ticking.data.glob("*.safetensors*")}
    rates, step = [], run.Trainer.step
    monkeypatch.setattr(run.Trainer, "step", lambda self, rate: rates.append(rate) or step(self, rate))
    final = ticking.data / "final.safetensors"
    cold = sitting(ticking, cooldown=10.0, out=final, run=state_path(ticking.out))
    assert cold.iterations == 20 + len(rates)
    assert rates == sorted(rates, reverse=True) and rates[0] > 0.8 and rates[-1] < 0.2
    assert all(path.read_bytes() == data for path, data in left.items())
    assert not state_path(final).exists()
    told = json.loads(load_file(final).metadata["training"])
    assert told["cooldown_seconds"] == 10
    assert "float16_costs" in json.loads(load_file(final).metadata["metrics"])


def test_a_cooldown_does_not_write_over_the_run(ticking):
    sitting(ticking)
    with pytest.raises(UsageError, match="another --out"):
        sitting(ticking, cooldown=10.0)


@pytest.mark.parametrize("branches", [0, 2])
def test_what_is_kept_of_a_run_is_enough_to_go_on_elsewhere(ticking, branches):
    recipe, kept = replace(WSD, branches=branches), ticking.data / "runs" / "tiny.safetensors"
    train(recipe, replace(ticking, keep=kept), lambda report: None)
    weights = load_file(kept).module.state_dict()
    assert not torch.equal(weights["tail.weight"], load_file(ticking.out).module.state_dict()["tail.weight"])
    elsewhere = replace(ticking, out=ticking.data / "b.safetensors", resume=True, run=kept)
    said: list[str] = []
    lower = replace(recipe, lr=1e-9)
    last = train(lower, elsewhere, lambda report: None, said.append)
    assert last.iterations == 40 and last.seconds > 40
    assert "20 steps" in said[0] and "moments begin anew" in said[0]
    assert said[1:] == ["lr was 0.001 so far and is 1e-09 from now on"]
    after = load_file(elsewhere.out).module.state_dict()
    assert torch.allclose(after["tail.weight"], weights["tail.weight"], atol=1e-4)
    cold = replace(elsewhere, resume=False, cooldown=5.0, out=ticking.data / "c.safetensors")
    assert train(recipe, cold, lambda report: None).iterations == pytest.approx(25, abs=1)


def test_what_is_kept_is_of_one_network(ticking):
    kept = ticking.data / "kept.safetensors"
    train(WSD, replace(ticking, keep=kept), lambda report: None)
    other = replace(WSD, parameters={"scale": 2, "n_feats": 8, "n_blocks": 1})
    with pytest.raises(UsageError, match=r"parameters = .* give its own recipe"):
        train(other, replace(ticking, resume=True, run=kept), lambda report: None)


def test_weights_that_tell_nothing_of_a_run_are_no_run(ticking):
    net = find("compact-sr-x2")
    path = store.weights_folder() / net.file
    made = load_file(path)
    bare = ticking.data / "bare.safetensors"
    save_file(bare, made.module, arch=made.arch, parameters=made.parameters, task="sr", metadata={})
    with pytest.raises(UsageError, match="--init"):
        train(WSD, replace(ticking, resume=True, run=bare), lambda report: None)


def test_a_network_too_large_to_be_kept_is_refused_before_it_is_trained(ticking, monkeypatch):
    monkeypatch.setattr(kept_runs, "MAX_BYTES", 1000)
    with pytest.raises(UsageError, match=r"MB.*leave out --keep"):
        train(WSD, replace(ticking, keep=ticking.data / "k.safetensors"), lambda report: None)


@pytest.mark.parametrize(
    ("recipe", "changed", "word"),
    [
        (RECIPE, {"cooldown": 5.0}, "--cooldown is for"),
        (RECIPE, {"keep": Path("k.safetensors")}, "--keep is for"),
        (WSD, {"cooldown": 5.0, "keep": Path("k.safetensors")}, "leave out --keep"),
        (WSD, {"cooldown": 5.0, "init": "compact-sr-x2"}, "leave out --init"),
        (WSD, {"cooldown": 5.0, "resume": True}, "leave out --resume"),
    ],
)
def test_wishes_that_do_not_go_together(settings, recipe, changed, word):
    with pytest.raises(UsageError, match=word):
        train(recipe, replace(settings, **changed), lambda report: None)


def test_a_run_that_is_stopped_can_be_resumed(ticking):
    seen: list[Report] = []
    stopped = train(RECIPE, ticking, seen.append, stop=lambda: len(seen) == 5)
    assert not stopped.ended and state_path(ticking.out).exists()
    assert train(RECIPE, replace(ticking, resume=True), lambda report: None).ended
    assert not state_path(ticking.out).exists()
