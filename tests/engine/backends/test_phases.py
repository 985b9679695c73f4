from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from enhance_cli.arch.contract import ArchSpec
from enhance_cli.engine.backends.candidates import NCNN
from enhance_cli.engine.backends.fold import fold
from enhance_cli.engine.backends.graph import Graph
from enhance_cli.engine.backends.ncnn_body import NETS, NcnnBody
from enhance_cli.engine.backends.phases import period, phased
from enhance_cli.engine.backends.trace import trace

SPEC = ArchSpec(colour="gray", halo=9)


class Branches(nn.Module):
    """Convolutions of all the dilations side by side, with an activation each."""

    def __init__(self, *dilations: int, kernel: int = 3) -> None:
        super().__init__()
        self.head = nn.Conv2d(1, 4, 3, padding=1)
        self.convs = nn.ModuleList(
            nn.Conv2d(4, 3, kernel, padding=d * (kernel // 2), dilation=d) for d in dilations
        )

    def forward(self, x):
        x = self.head(x)
        return torch.cat([conv(x).relu() for conv in self.convs], 1).mean((2, 3), keepdim=True) + sum(
            conv(x) for conv in self.convs
        ).repeat_interleave(len(self.convs), 1)


def graph_of(module: nn.Module, spec: ArchSpec = SPEC) -> Graph:
    torch.manual_seed(0)
    return fold(trace(module.eval().requires_grad_(False), spec))


@pytest.mark.parametrize("module", [Branches(2, 3, 5), Branches(1, 4, kernel=5), Branches(7)], ids=str)
def test_a_dilated_network_gives_the_same_at_every_size(ncnn, module):
    backend = NCNN.convert(graph_of(module))
    for height, width in ((1, 1), (2, 9), (30, 30), (31, 58), (37, 20)):
        x = torch.rand(1, 1, height, width)
        torch.testing.assert_close(backend(x, None), module(x), atol=1e-5, rtol=0)


class Inside(nn.Module):
    """A dilated convolution between functions of maps."""

    def __init__(self, before, after):
        super().__init__()
        self.before, self.after = before, after
        self.conv = nn.Conv2d(4, 4, 3, padding=2, dilation=2)

    def forward(self, x):
        return self.after(self.conv(self.before(x)))


SHRINKING = {
    "parted": lambda x: F.pixel_unshuffle(x, 2),
    "strided": lambda x: F.conv2d(x, torch.ones(4, 1, 2, 2), stride=2),
    "thinned": lambda x: x[:, :, ::2, ::2].repeat_interleave(4, 1),
}


@pytest.mark.parametrize("before", SHRINKING)
def test_dilation_on_a_shrunk_map_is_right_at_every_size_too(ncnn, before):
    module = Inside(SHRINKING[before], lambda x: F.pixel_shuffle(x, 2))
    graph = graph_of(module, replace(SPEC, multiple=2))
    assert period(graph) == 4
    backend = NCNN.convert(graph)
    for height, width in ((4, 4), (6, 4), (14, 20), (22, 10)):
        x = torch.rand(1, 1, height, width)
        torch.testing.assert_close(backend(x, None), module(x), atol=1e-5, rtol=0)


def test_a_dilated_convolution_without_a_centre_stays_as_it_is(ncnn):
    module = nn.Conv2d(1, 1, 2, padding=1, dilation=2)
    graph = graph_of(module)
    assert phased(graph, 9, 9).layers == graph.layers
    x = torch.rand(1, 1, 12, 9)
    torch.testing.assert_close(NCNN.convert(graph)(x, None), module(x), atol=1e-5, rtol=0)


def test_no_dilated_convolution_is_left():
    graph = graph_of(Branches(1, 2, 3))

    def dilations(graph: Graph) -> set[object]:
        return {layer.options[2] for layer in graph.layers if layer.kind.startswith("Convolution")}

    assert dilations(graph) == {1, 2, 3}
    assert dilations(phased(graph, 9, 9)) == {1}


def test_sides_that_are_multiples_need_no_filling():
    graph = graph_of(Branches(2, 3))
    assert period(graph) == 6
    assert not {layer.kind for layer in phased(graph, 12, 30).layers} & {"Padding", "Crop"}
    filled = [layer.kind for layer in phased(graph, 12, 31).layers]
    assert filled.count("Padding") == 1


def test_a_network_without_dilation_is_left_alone():
    graph = graph_of(Branches(1))
    assert (period(graph), phased(graph, 7, 9).layers) == (1, graph.layers)


def test_nets_for_other_sizes_do_not_pile_up(ncnn):
    module = Branches(5)
    body = NcnnBody(graph_of(module))
    for side in (*range(11, 16), 11):
        x = torch.rand(1, 1, side, 11)
        torch.testing.assert_close(torch.from_numpy(body.run(x[0].numpy())), module(x)[0], atol=1e-5, rtol=0)
        assert len(body._nets) <= NETS
    # Each would keep what its largest run took.
    assert len({net._pools for net in body._nets.values()}) == 1
