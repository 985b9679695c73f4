import pytest
import torch
from torch import nn

from enhance_cli.train.averages import Averages


def test_the_long_average_remembers_a_tenth_of_the_steps_and_the_usual_one_a_fixed_number():
    module = nn.Conv2d(1, 1, 1)
    averages = Averages(module, ema=0.98)
    ages = {}
    for step in range(1, 1601):
        with torch.no_grad():
            module.weight.fill_(step)
        averages.update(step, step)
        ages[step] = [step - float(one["weight"]) for one in (averages.usual, averages.long)]
    for step in (160, 800, 1600):
        usual, long = ages[step]
        # The mean age of what it remembers, within the sixteen steps between updates.
        assert 0.05 * step < long < 0.1 * step + 16
    assert usual == pytest.approx(49, abs=1)


def test_counters_are_copied():
    module = nn.BatchNorm2d(1)
    averages = Averages(module, ema=0.9)
    module.num_batches_tracked += 5
    averages.update(1, 1)
    assert averages.usual["num_batches_tracked"] == 5
