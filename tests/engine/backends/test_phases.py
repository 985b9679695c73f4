import pytest
import torch
from torch import nn

from enhance_cli.arch.contract import ArchSpec
from enhance_cli.engine.backends.fold import fold
from enhance_cli.engine.backends.graph import Graph
from enhance_cli.engine.backends.ncnn_backend import NETS, NcnnBackend
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


def graph_of(module: nn.Module) -> Graph:
    torch.manual_seed(0)
    return fold(trace(module.eval().requires_grad_(False), SPEC))


@pytest.mark.parametrize("module", [Branches(2, 3, 5), Branches(1, 4, kernel=5), Branches(7)], ids=str)
def test_a_dilated_network_gives_the_same_at_every_size(ncnn, module):
    backend = NcnnBackend(graph_of(module))
    for height, width in ((1, 1), (2, 9), (30, 30), (31, 58), (37, 20)):
        x = torch.rand(1, 1, height, width)
        torch.testing.assert_close(backend(x, None), module(x), atol=1e-5, rtol=0)


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
    backend = NcnnBackend(graph_of(Branches(5)))
    for side in range(11, 16):
        backend(torch.rand(1, 1, side, 11), None)
    assert len(backend._body._nets) == NETS
