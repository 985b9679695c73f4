import copy

import torch
from torch import nn
from torch.nn import functional as F

from enhance_cli.train.branches import add_branches, merged


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.PReLU(6), nn.Conv2d(6, 4, 1), nn.Conv2d(4, 4, 2))


def test_fresh_branches_change_nothing_and_merge_to_what_was_there():
    plain, x = network(), torch.randn(1, 3, 9, 8)
    branched = copy.deepcopy(plain)
    add_branches(branched, 2)
    assert torch.equal(branched(x), plain(x))
    state = merged(branched.state_dict())
    assert state.keys() == plain.state_dict().keys()
    assert all(torch.equal(state[key], value) for key, value in plain.state_dict().items())


def test_branches_lie_where_the_network_lies():
    # "meta" stands in for a GPU.
    module = network().to("meta")
    add_branches(module, 2)
    assert {parameter.device.type for parameter in module.parameters()} == {"meta"}


def test_only_plain_3x3_convolutions_get_branches():
    module = nn.Sequential(*network(), nn.Conv2d(4, 4, 3, groups=4))
    before = {key for key, _ in module.named_parameters()}
    add_branches(module, 2)
    after = {key for key, _ in module.named_parameters()}
    assert before - after == {"0.weight"}


def test_branches_are_convolutions_beside_the_first_and_merge_into_it():
    module, x = network(), torch.randn(2, 3, 9, 8)
    add_branches(module, 2)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    state = module.state_dict()
    weight, expand, squeeze, point = (
        state[f"0.parametrizations.weight.{part}"]
        for part in ("original", "0.expand", "0.squeeze", "0.point")
    )
    assert expand.shape == (12, 3, 3, 3)
    expected = F.conv2d(x, weight, state["0.bias"], padding=1)
    expected += F.conv2d(F.conv2d(x, expand, padding=1), squeeze[:, :, None, None])
    expected += F.conv2d(x, point[:, :, None, None])
    assert torch.allclose(module[0](x), expected, atol=1e-5)
    plain = network()
    plain.load_state_dict(merged(state))
    assert torch.allclose(plain(x), module(x), atol=1e-5)


def test_a_state_without_branches_is_its_own():
    state = network().state_dict()
    assert merged(state) == state
