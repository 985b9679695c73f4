import copy

import torch
from torch import nn

from enhance_cli.train.norm import Norm32, has_norm, measure, quicken


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.Sequential(nn.BatchNorm2d(2), nn.ReLU()))


def test_a_quick_norm_is_the_same_and_keeps_the_type():
    own = network()[1][0]
    quick = copy.deepcopy(own)
    quicken(quick)
    x = torch.randn(3, 2, 5, 6)
    torch.testing.assert_close(quick(x), own(x))
    assert type(quick) is Norm32
    assert quick(x.bfloat16()).dtype == torch.bfloat16


def test_statistics_are_the_mean_of_what_went_through():
    module = network()
    batches = [torch.randn(4, 1, 8, 8) + n for n in range(3)]
    measure(module, lambda: [module(batch) for batch in batches])
    with torch.no_grad():
        maps = torch.cat([module[0](batch) for batch in batches])
    norm = module[1][0]
    torch.testing.assert_close(norm.running_mean, maps.mean((0, 2, 3)))
    assert (module.training, norm.momentum) == (False, 0.1)


def test_networks_without_batch_norm_are_known():
    assert has_norm(network()) and not has_norm(nn.Sequential(nn.Conv2d(1, 1, 1)))
