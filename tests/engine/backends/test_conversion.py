"""Every network, converted, gives what torch gives; and those that cannot be converted are known."""

from dataclasses import replace

import pytest
import torch
from small_networks import CONFIGURATIONS, SMALL
from torch import nn
from torch.nn import functional as F

from enhance_cli.arch.contract import ArchSpec
from enhance_cli.arch.registry import ARCHITECTURES
from enhance_cli.engine.backends.fold import fold
from enhance_cli.engine.backends.graph import Unsupported
from enhance_cli.engine.backends.probe import probe
from enhance_cli.engine.backends.trace import trace

NOT_CONVERTED = {
    "csnln": "flatten",  # attention
    "memnet": "unsqueeze",  # a weighted sum over stacked pictures
    "rlfn": "max_pool2d",  # attention at a lower resolution
    "rnan": "flatten",  # attention
    "san": "tensor_split",  # attention by regions
    "smfanet": "linalg_vector_norm|norm|clamp_min",
    "span": "silu",
    "srresnet": "instance_norm",
}
"""Why networks stay with torch.  Whoever makes one convertible takes it out here."""
GRAY = ArchSpec(colour="gray", halo=1)


@pytest.fixture(autouse=True)
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(before)


def build(name, parameters):
    entry = ARCHITECTURES[name]
    module = entry.build(**parameters).eval().requires_grad_(False)
    for key, tensor in module.state_dict().items():
        # Fresh ones do nothing.
        if key.endswith("running_mean"):
            tensor.normal_(0, 0.1)
        if key.endswith("running_var"):
            tensor.uniform_(0.5, 2)
    return module, entry.spec(**parameters)


def converted(candidate, module, spec):
    return candidate.convert(fold(trace(module, spec)))


@torch.inference_mode()
def difference(module, spec, backend, side):
    """Over the value range, or over the result's where chance made it larger."""
    x, condition = probe(spec, side)
    y = module(x) if condition is None else module(x, condition)
    y = y if spec.output is None else y[spec.output]
    z = backend(x, condition)
    assert z.shape == y.shape
    return float((y - z).abs().max() / max(spec.value_range, float(y.abs().max())))


@pytest.mark.parametrize(("name", "parameters"), CONFIGURATIONS)
def test_a_converted_network_agrees_with_torch_at_every_size(candidate, name, parameters):
    module, spec = build(name, parameters)
    if name in NOT_CONVERTED:
        with pytest.raises(Unsupported, match=NOT_CONVERTED[name]):
            trace(module, spec)
        return
    backend = converted(candidate, module, spec)
    assert max(difference(module, spec, backend, side) for side in (1, 37, 70)) < 2e-5


def test_what_is_not_converted_is_a_network():
    assert NOT_CONVERTED.keys() < SMALL.keys()


class Plain(nn.Module):
    """A convolution before and after some function of maps."""

    def __init__(self, function):
        super().__init__()
        self.function = function
        self.first = nn.Conv2d(1, 4, 3, padding=1)
        self.last = nn.Conv2d(4, 1, 3, padding=1)

    def forward(self, x):
        return self.last(self.function(self.first(x)))


FUNCTIONS = {
    "a constant on either side": lambda x: 1 - (2 * x + 0.5) / 3 - 1,
    "a constant for each channel": lambda x: x * torch.arange(4.0).view(1, 4, 1, 1),
    "a blob that three take": lambda x: x + x.sigmoid() * x.tanh() - x,
    "padding of three kinds": lambda x: F.pad(
        F.pad(F.pad(x, (1, 2, 0, 1), mode="reflect"), (0, 1, 2, 1), mode="replicate"), (1, 0, 0, 0), value=0.5
    ),
    "there and back": lambda x: F.pixel_shuffle(F.pixel_unshuffle(x, 2).relu(), 2),
    "one slope": lambda x: F.prelu(x, torch.tensor([0.3])),
    "a leaky ReLU": lambda x: F.leaky_relu(x, 0.1),
    "enlarging": lambda x: (
        F.interpolate(x, scale_factor=2) + F.interpolate(x, scale_factor=2, mode="bilinear")
    ),
    "groups": lambda x: F.conv2d(x, torch.ones(4, 2, 3, 1), padding=(1, 0), groups=2, dilation=(1, 2)),
    "a gate": lambda x: x * (x.mean((2, 3), keepdim=True) * 3).sigmoid(),
    "a 1x1 convolution that widens": lambda x: F.conv2d(
        F.conv2d(x, torch.ones(2, 4, 3, 3), padding=1), torch.ones(4, 2, 1, 1), torch.arange(4.0)
    ),
    "a 1x1 convolution that narrows": lambda x: F.conv2d(
        x, torch.arange(16.0).sin().view(4, 4, 1, 1), torch.arange(4.0)
    ),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_operation_agrees_with_torch(candidate, name):
    module = Plain(FUNCTIONS[name]).eval().requires_grad_(False)
    spec = ArchSpec(colour="gray", halo=1, multiple=2)
    assert difference(module, spec, converted(candidate, module, spec), 21) < 1e-5


@pytest.mark.parametrize("keepdim", [False, True])
def test_means_over_large_maps_are_as_exact_as_over_small_ones(candidate, keepdim):
    class Mean(nn.Module):
        def forward(self, x):
            mean = x.mean((2, 3), keepdim=keepdim)
            return 0 * x + (mean if keepdim else mean[:, :, None, None])

    flat = torch.full((1, 1, 1000, 900), 0.9)
    assert float((converted(candidate, Mean(), GRAY)(flat, None) - flat).abs().max()) < 5e-5


REFUSED = {
    "looks at values": lambda x: x * float(x.mean()),
    "changes in place": lambda x: x.add_(1),
    "weighs a sum": lambda x: torch.add(x, x, alpha=2),
    "a map of constants": lambda x: x + torch.ones(1, 1, 16, 17),
    "part of the picture": lambda x: x[:, :, 1:, 1:],
    "an odd step": lambda x: x[:, :, ::3, ::3],
    "weights made of the picture": lambda x: F.conv2d(x, x.mean((2, 3), keepdim=True)).repeat_interleave(
        4, 1
    ),
    "transposed weights made of it": lambda x: F.conv_transpose2d(
        F.conv2d(x, torch.ones(1, 4, 1, 1)), x.mean((2, 3), keepdim=True)
    ),
    "batch statistics": lambda x: F.batch_norm(x, None, None, training=True),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_counterpart_is_refused_and_not_guessed(name):
    with pytest.raises(Unsupported):
        trace(Plain(REFUSED[name]).eval(), GRAY)


@pytest.mark.parametrize(
    "join", [torch.add, torch.mul, torch.sub, lambda x, level: level - x, lambda x, level: x / (level + 1)]
)
def test_the_condition_is_no_constant(join):
    class Told(nn.Module):
        def forward(self, x, level):
            return join(x.relu(), level)

    with pytest.raises(Unsupported):
        trace(Told(), replace(GRAY, condition="sigma"))


def test_a_network_without_arithmetic_is_refused():
    with pytest.raises(Unsupported, match="without arithmetic"):
        trace(nn.Identity(), GRAY)


def test_norms_factors_mean_shifts_and_activations_end_up_inside_convolutions():
    module = nn.Sequential(
        nn.Conv2d(1, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 2, 3), nn.Conv2d(2, 1, 1)
    ).eval()
    assert [layer.kind for layer in fold(trace(module, GRAY)).layers] == ["Convolution"] * 2


def test_a_norm_whose_input_is_needed_elsewhere_stays():
    class Skips(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.norm = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4)

        def forward(self, x):
            y = self.conv(x)
            return y + self.norm(y)

    kinds = [layer.kind for layer in fold(trace(Skips().eval(), GRAY)).layers]
    assert kinds == ["Convolution", "Scale", "BinaryOp"]


def test_results_outlive_the_backend_that_made_them(candidate):
    module, spec = build("compact", SMALL["compact"][1])
    backend = converted(candidate, module, spec)
    x, _ = probe(spec, 20)
    before = x.clone()
    y = backend(x, None)
    kept = y.clone()
    del backend
    assert torch.equal(y, kept)
    assert torch.equal(x, before)
