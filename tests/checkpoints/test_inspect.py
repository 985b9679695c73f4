import json

import pytest
import torch
from torch import nn

from enhance_cli.checkpoints.inspect import facts, work_per_megapixel


def test_work_is_counted_for_each_output_pixel(load):
    conv = nn.Conv2d(3, 8, 3, padding=1)
    assert work_per_megapixel(load(conv)) == pytest.approx(3 * 8 * 9 * 1e6 / 1e9)
    enlarging = nn.Sequential(nn.Conv2d(3, 12, 3, padding=1), nn.PixelShuffle(2))
    assert work_per_megapixel(load(enlarging, scale=2)) == pytest.approx(3 * 12 * 9 / 4 / 1e3)


def test_networks_that_look_at_values_have_no_figure(load):
    class Looking(nn.Module):
        def forward(self, x):
            return x if x.max() > 0 else -x

    assert work_per_megapixel(load(Looking())) is None


def test_facts_are_plain_data(load):
    found = json.loads(json.dumps(facts(load(nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3))))))
    assert found["parameter_count"] == 3 * 3 + 3 + 3 + 3
    assert (found["scale"], found["colour"], found["network"]) == (1, "rgb", "fake")


def test_pre_enlarged_networks_serve_any_scale(load):
    assert facts(load(torch.nn.Identity(), colour="y", pre_upsampled=True))["scale"] == "any"
