import torch
from torch import nn

from enhance_cli.train.muon import Muon
from enhance_cli.train.optimisers import optimisers
from enhance_cli.train.recipe import Recipe

KEYS = {
    "name": "t",
    "arch": "x",
    "task": "sr",
    "packs": ("p",),
    "patch": 8,
    "batch": 1,
    "lr": 0.1,
    "budget": "1s",
}


def test_muon_alone_where_there_are_no_vectors():
    made = optimisers(nn.Conv2d(3, 3, 3, bias=False), Recipe(**KEYS, optimiser="muon"), torch.float32)
    assert [type(one) for one in made] == [Muon]


def test_adam_has_the_decay_of_the_recipe():
    (adam,) = optimisers(nn.Conv2d(3, 3, 3), Recipe(**KEYS, beta2=0.999), torch.float32)
    assert adam.param_groups[0]["betas"] == (0.9, 0.999)
