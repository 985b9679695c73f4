"""What a step of training costs, part by part, and how near its arithmetic comes to what the core can do.

    python benchmarks/training.py recipes/compact-sr-x4.toml --data DIR [--steps 12] [--precision float32]

Times are of the processor, not of the clock, on one thread: other work on the machine does not count. The
core's rate is that of one convolution of 64 channels, forward and backward, on the recipe's batch.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from enhance_cli.train.loop import Compute, Trainer
from enhance_cli.train.losses import LOSSES
from enhance_cli.train.recipe import read_recipe
from enhance_cli.train.setup import banks, choose_compute, network

PARTS = ("data", "forward", "backward", "clipping", "optimiser", "averages")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("recipe", type=Path, nargs="+")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--packs", nargs="+", help="instead of the recipe's, for a quick start")
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--patch", type=int)
    parser.add_argument("--batch", type=int)
    wish = parser.parse_args()
    torch.set_num_threads(1)
    compute = choose_compute("cpu", wish.precision, wish.compile)
    print("| recipe | batch, patch | " + " | ".join(PARTS) + " | other | s/step | GFLOP/s | of the core's |")
    print("|---" * (len(PARTS) + 6) + "|")
    for path in wish.recipe:
        recipe = read_recipe(path)
        given = {"packs": wish.packs and tuple(wish.packs), "patch": wish.patch, "batch": wish.batch}
        recipe = replace(recipe, init=None, **{key: value for key, value in given.items() if value})
        if wish.packs:
            recipe = replace(recipe, pack_weights=())
        print(row(recipe, wish.data, compute, wish.steps), flush=True)


def row(recipe, data, compute, n_steps):
    trainer = make_trainer(recipe, data, compute)
    spent = watch(trainer)
    trainer._step(0.1)
    with FlopCounterMode(display=False) as counter:
        trainer._step(0.1)
    spent.clear()
    begun = time.process_time()
    for _ in range(n_steps):
        trainer._step(0.1)
    total = (time.process_time() - begun) / n_steps
    shares = [spent[part] / n_steps / total for part in PARTS]
    network = (spent["forward"] + spent["backward"]) / n_steps
    rate = counter.get_total_flops() / network / 1e9
    known = core_rate(recipe, compute)
    cells = [f"{share:.1%}" for share in (*shares, 1 - sum(shares))]
    cells = [recipe.name, f"{recipe.batch}, {recipe.patch}", *cells, f"{total:.3f}", f"{rate:.0f}"]
    return f"| {' | '.join(cells)} | {rate / known:.0%} of {known:.0f} |"


def make_trainer(recipe, data, compute) -> Trainer:
    spec, module = network(recipe)
    bank, held_out, _ = banks(recipe, data, spec, compute.device)
    return Trainer(module, spec, recipe, bank, held_out, compute, LOSSES[recipe.loss])


def watch(trainer) -> dict[str, float]:
    """Seconds of the processor that the parts of a step take, summed up as the trainer goes."""
    spent: dict[str, float] = defaultdict(float)

    def timed(part, function):
        def wrapped(*arguments, **options):
            begun = time.process_time()
            result = function(*arguments, **options)
            spent[part] += time.process_time() - begun
            return result

        return wrapped

    trainer.draw = timed("data", trainer.draw)
    trainer._apply = timed("forward", trainer._apply)
    trainer.loss = timed("forward", trainer.loss)
    trainer._clip = timed("clipping", trainer._clip)
    trainer.averages.update = timed("averages", trainer.averages.update)
    for optimiser in trainer.optimisers:
        optimiser.step = timed("optimiser", optimiser.step)
    Tensor.backward = timed("backward", BACKWARD)
    return spent


BACKWARD = Tensor.backward


def core_rate(recipe, compute: Compute, n_feats=64, seconds=1.5) -> float:
    """GFLOP/s of one 3x3 convolution, forward and backward, in the precision of the run."""
    conv = nn.Conv2d(n_feats, n_feats, 3, padding=1).to(memory_format=torch.channels_last)
    x = torch.rand(recipe.batch, n_feats, recipe.patch, recipe.patch).to(memory_format=torch.channels_last)
    kind = compute.autocast or torch.float32
    conv, x = conv.to(kind), x.to(kind).requires_grad_()
    flops = 3 * 2 * x.numel() * n_feats * 9
    gradient = torch.rand_like(x)
    conv(x).backward(gradient)
    n, begun = 0, time.process_time()
    while time.process_time() - begun < seconds:
        conv(x).backward(gradient)
        n += 1
    return n * flops / (time.process_time() - begun) / 1e9


if __name__ == "__main__":
    main()
