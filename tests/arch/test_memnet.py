import pytest
import torch
from torch.nn import functional as F

from enhance_cli.arch.memnet import MemNet, spec


def random_norms(net):
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 1.5)
            module.weight.data.uniform_(0.5, 1.5)
            module.bias.data.normal_()


def activated(state, name, x):
    norm = {k: state[f"{name}.{k}"] for k in ("running_mean", "running_var", "weight", "bias")}
    return F.relu(F.batch_norm(x, **norm))


def step(state, name, x):
    """Batch norm, ReLU and convolution under the state-dict keys NAME.0 and NAME.2."""
    weight = state[f"{name}.2.weight"]
    return F.conv2d(
        activated(state, f"{name}.0", x), weight, state[f"{name}.2.bias"], padding=weight.shape[2] // 2
    )


@torch.no_grad()
def test_two_blocks_compute_what_the_paper_writes():
    net = MemNet(n_feats=3, n_blocks=2, n_units=2).eval()
    random_norms(net)
    net.weights.copy_(torch.tensor([0.3, 0.9]))
    state, x = net.state_dict(), torch.rand(1, 1, 9, 11)

    def unit(name, h):
        return h + step(state, f"{name}.1", step(state, f"{name}.0", h))

    b0 = step(state, "extract", x)
    h1 = unit("blocks.0.units.0", b0)
    h2 = unit("blocks.0.units.1", h1)
    b1 = step(state, "blocks.0.gate", torch.cat([b0, h1, h2], 1))
    h3 = unit("blocks.1.units.0", b1)
    h4 = unit("blocks.1.units.1", h3)
    b2 = step(state, "blocks.1.gate", torch.cat([b0, b1, h3, h4], 1))
    y1, y2 = (
        x
        + F.conv2d(activated(state, f"norms.{i}", b), net.reconstruct.weight, net.reconstruct.bias, padding=1)
        for i, b in enumerate((b1, b2))
    )
    torch.testing.assert_close(net(x), 0.3 * y1 + 0.9 * y2)


def test_has_as_many_parameters_as_the_authors_description(count_parameters):
    convolution, norm = 64 * 64 * 9 + 64, 2 * 64
    extraction = 2 + 64 * 9 + 64
    units = 36 * 2 * (norm + convolution)
    gates = sum(2 * 64 * n + 64 * 64 * n + 64 for n in range(7, 13))
    reconstruction = 6 * norm + 64 * 9 + 1 + 6
    with torch.device("meta"):
        assert count_parameters(MemNet()) == extraction + units + gates + reconstruction == 2_911_177


@torch.no_grad()
def test_untrained_weights_sum_to_the_picture():
    net = MemNet(n_feats=4, n_blocks=3, n_units=1).eval()
    torch.nn.init.zeros_(net.reconstruct.weight)
    torch.nn.init.constant_(net.reconstruct.bias, 0.2)
    x = torch.rand(2, 1, 5, 6)
    torch.testing.assert_close(net(x), x + 0.2)


@pytest.mark.parametrize(
    ("task", "colour", "enlarged"), [("denoise", "gray", False), ("dejpeg", "y", False), ("sr", "y", True)]
)
def test_one_network_serves_three_tasks(task, colour, enlarged):
    wanted = spec().for_task(task)
    assert (wanted.colour, wanted.pre_upsampled) == (colour, enlarged)


def test_halo_is_one_pixel_for_each_3x3_convolution():
    assert spec().halo == 6 * 6 * 2 + 2
