"""What every network must hold to, and what the engine relies on when it cuts pictures into tiles."""

import ast
import inspect
from pathlib import Path

import pytest
import torch
from small_networks import CONFIGURATIONS, SMALL
from torch import nn

import enhance_cli.arch
from enhance_cli.arch.registry import ARCHITECTURES

every_configuration = pytest.mark.parametrize(("name", "parameters"), CONFIGURATIONS)


def build(name, parameters):
    entry = ARCHITECTURES[name]
    return entry.build(**parameters).eval(), entry.spec(**parameters)


def picture(spec, height, width, **options):
    channels = 3 if spec.colour == "rgb" else 1
    return spec.value_range * torch.rand(1, channels, height, width, **options)


def run(net, spec, x):
    condition = () if spec.condition is None else (torch.full((1, 1, 1, 1), 0.1, dtype=x.dtype),)
    y = net(x, *condition)
    return y if spec.output is None else y[spec.output]


def up(size, multiple):
    return -(-size // multiple) * multiple


def test_every_network_is_tested_here():
    assert SMALL.keys() == ARCHITECTURES.keys()


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_class_and_spec_take_the_same_keywords_with_the_same_defaults(name):
    def keywords(function):
        parameters = inspect.signature(function).parameters.values()
        assert all(p.kind is p.KEYWORD_ONLY for p in parameters)
        return {p.name: p.default for p in parameters}

    assert keywords(ARCHITECTURES[name].build) == keywords(ARCHITECTURES[name].spec)


def test_no_network_imports_another():
    folder = Path(enhance_cli.arch.__file__).parent
    for name in ARCHITECTURES:
        for node in ast.walk(ast.parse((folder / f"{name}.py").read_text())):
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            ours = {module for module in modules if module.startswith("enhance_cli")}
            assert ours <= {"enhance_cli.arch.contract", "enhance_cli.arch.blocks"}


@every_configuration
@torch.no_grad()
def test_output_is_scale_times_the_padded_input_and_finite(name, parameters):
    net, spec = build(name, parameters)
    height, width = (up(max(n, spec.minimum), spec.multiple) for n in (13, 21))
    x = picture(spec, height, width)
    y = run(net, spec, x)
    assert y.shape == (1, x.shape[1], height * spec.scale, width * spec.scale)
    assert y.isfinite().all()


@every_configuration
@torch.no_grad()
def test_smallest_input_works(name, parameters):
    net, spec = build(name, parameters)
    smallest = up(spec.minimum, spec.multiple)
    assert run(net, spec, picture(spec, smallest, smallest)).isfinite().all()


@every_configuration
def test_halo_is_the_receptive_radius(name, parameters):
    if ARCHITECTURES[name].spec(**parameters).tiling != "exact":
        pytest.skip("sees the whole picture")
    net, spec = build(name, parameters)
    seen = receptive_radius(net.double(), spec)
    assert seen <= spec.halo <= seen + 2 * spec.multiple


def receptive_radius(net: nn.Module, spec) -> int:
    """How far, in input pixels, any output pixel of one cell sees; positive weights let nothing cancel."""
    with torch.no_grad():
        for parameter in net.parameters():
            fan_in = parameter[0].numel() if parameter.ndim > 1 else 1
            parameter.fill_(1 / fan_in)
    middle = up(spec.halo, spec.multiple) + spec.multiple
    size = 2 * middle + spec.multiple
    x = picture(spec, size, size, dtype=torch.float64).requires_grad_()
    y = run(net, spec, x)
    radius = 0
    for i in range(spec.multiple * spec.scale):
        at = middle * spec.scale + i
        (gradient,) = torch.autograd.grad(y[0, 0, at, at], x, retain_graph=True)
        for axis in (2, 3):
            seen = gradient.abs().amax([d for d in range(4) if d != axis]).nonzero()
            radius = max(radius, int((seen - at // spec.scale).abs().max()))
    return radius


@every_configuration
@torch.no_grad()
def test_a_tile_with_its_halo_gives_the_whole_pictures_result(name, parameters):
    net, spec = build(name, parameters)
    if spec.tiling != "exact":
        pytest.skip("sees the whole picture")
    halo = up(spec.halo, spec.multiple)
    inner = 2 * spec.multiple
    x = picture(spec, 2 * halo + inner + 4 * spec.multiple, 2 * halo + inner + 4 * spec.multiple)
    offset = spec.multiple
    tile = x[:, :, offset : offset + 2 * halo + inner, offset : offset + 2 * halo + inner]
    kept = slice(halo * spec.scale, (halo + inner) * spec.scale)
    moved = slice((offset + halo) * spec.scale, (offset + halo + inner) * spec.scale)
    torch.testing.assert_close(
        run(net, spec, tile)[:, :, kept, kept],
        run(net, spec, x)[:, :, moved, moved],
        rtol=1e-5,
        atol=1e-5 * spec.value_range,
    )
