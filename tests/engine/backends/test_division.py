import pytest
import torch
from torch import nn
from torch.nn import functional as F

from enhance_cli.arch.contract import ArchSpec
from enhance_cli.arch.registry import ARCHITECTURES
from enhance_cli.engine.backends import converted
from enhance_cli.engine.backends.candidates import NCNN, OPENVINO
from enhance_cli.engine.backends.division import divide, reach
from enhance_cli.engine.backends.fold import fold
from enhance_cli.engine.backends.graph import Graph
from enhance_cli.engine.backends.sizes import floats_per_pixel
from enhance_cli.engine.backends.trace import trace
from enhance_cli.engine.tiles import Room


def graph_of(name: str, **parameters) -> Graph:
    entry = ARCHITECTURES[name]
    module = entry.build(**parameters).eval().requires_grad_(False)
    return fold(trace(module, entry.spec(**parameters)))


def test_edsr_is_parted_before_it_enlarges():
    graph = graph_of("edsr", scale=4, n_blocks=2, n_feats=16)
    first, second = divide(graph)
    assert (floats_per_pixel(graph), floats_per_pixel(first)) == (16 * 16, 16)
    assert second.channels == 16
    assert [layer.kind for layer in second.layers] == [
        *("Convolution", "PixelShuffle", "Convolution", "PixelShuffle", "Convolution")
    ]


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("compact", {"scale": 4, "n_feats": 8}),  # needs the picture again at its end
        ("espcn", {"scale": 2}),  # enlarges in its last step
        ("dncnn", {"n_layers": 3}),  # does not enlarge
        ("unet", {"n_feats": 4}),
    ],
)
def test_others_stay_whole(name, parameters):
    assert divide(graph_of(name, **parameters)) is None


class Enlarger(nn.Module):
    """Convolutions of several sizes around two enlargements."""

    def __init__(self, kernels: tuple[int, int, int]) -> None:
        super().__init__()
        channels = ((8, 32), (8, 72), (8, 3))
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.convs = nn.ModuleList(
            nn.Conv2d(*c, k, padding=k // 2) for c, k in zip(channels, kernels, strict=True)
        )

    def forward(self, x):
        x = F.pixel_shuffle(self.convs[0](self.first(x)), 2)
        return self.convs[2](F.pixel_shuffle(self.convs[1](x).relu(), 3))


@pytest.mark.parametrize(
    ("kernels", "expected"), [((3, 3, 3), 2), ((1, 1, 1), 0), ((3, 5, 9), 3), ((1, 1, 3), 1), ((5, 3, 1), 3)]
)
def test_the_reach_is_what_pieces_must_overlap(candidate, monkeypatch, kernels, expected):
    torch.manual_seed(0)
    module = Enlarger(kernels).eval().requires_grad_(False)
    graph = fold(trace(module, ArchSpec(colour="rgb", scale=6, halo=9)))
    _, second = divide(graph)
    assert reach(second) == expected
    x = torch.rand(1, 3, 23, 30)
    monkeypatch.setattr(converted, "PIECE", 8)

    def error() -> float:
        return float((candidate.convert(graph)(x, None) - module(x)).abs().max())

    assert error() < 1e-5
    if expected:
        monkeypatch.setattr(converted, "reach", lambda graph: expected - 1)
        assert error() > 1e-5


def test_the_first_part_alone_bounds_the_tiles(ncnn):
    backend = NCNN.convert(graph_of("edsr", scale=4, n_blocks=1, n_feats=64))
    assert backend.room(10**9) == Room((2 << 30) // (4 * 14 * 64), ((32 << 20) - (16 << 10)) // (4 * 64))
    assert OPENVINO.room(graph_of("edsr", scale=4, n_blocks=1, n_feats=64)) == Room(1 << 20, 1 << 20)
    assert backend.room(1000) == Room(1000, 1000)
