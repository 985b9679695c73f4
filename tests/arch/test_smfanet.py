import pytest
import torch
from torch.nn import functional as F

from enhance_cli.arch.smfanet import CELL, Aggregation, SMFANet, spec


@pytest.mark.parametrize(
    ("parameters", "published"),
    [({"scale": 4}, 197_328), ({"scale": 2, "n_blocks": 12, "n_feats": 48}, 480_300)],
)
def test_has_the_published_size(count_parameters, parameters, published):
    assert count_parameters(SMFANet(**parameters)) == published


@torch.no_grad()
def test_cells_of_any_size_are_those_of_the_authors():
    part = Aggregation(4).eval()
    torch.nn.init.ones_(part.belt)
    x = torch.rand(1, 4, 19, 24)
    local, wide = part.linear_0(x).chunk(2, 1)
    cells = F.adaptive_max_pool2d(wide, (2, 3))
    told = part.dw_conv(cells) * part.alpha + torch.var(wide, dim=(-2, -1), keepdim=True)
    weights = F.interpolate(F.gelu(part.linear_1(told)), size=(19, 24), mode="nearest")
    torch.testing.assert_close(part(x), part.linear_2(wide * weights + part.lde(local)))


@torch.no_grad()
def test_whole_cells_need_no_adaptive_pooling(monkeypatch):
    net = SMFANet(scale=2, n_blocks=1, n_feats=4)
    x = torch.rand(1, 3, 2 * CELL, 3 * CELL)
    adaptive = F.adaptive_max_pool2d
    monkeypatch.setattr(
        F, "max_pool2d", lambda x, side: adaptive(x, (x.shape[2] // side, x.shape[3] // side))
    )
    expected = net(x)
    monkeypatch.undo()
    monkeypatch.setattr(F, "adaptive_max_pool2d", lambda *_: pytest.fail("runtimes have no such layer"))
    torch.testing.assert_close(net(x), expected)


def test_tiles_begin_where_cells_do():
    told = spec(scale=4)
    assert (told.multiple, told.tiling) == (CELL, "approximate")
    assert told.halo % CELL == 0 == told.tile % CELL
