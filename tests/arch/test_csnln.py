import pytest
import torch
from torch.nn import functional as F

from enhance_cli.arch import csnln
from enhance_cli.arch.blocks import RGB_MEAN
from enhance_cli.arch.csnln import CSNLN, CrossScaleAttention, InScaleAttention, spec


@torch.no_grad()
def test_computes_what_the_authors_code_computes(case):
    reference = case("csnln_x2")
    net = CSNLN(scale=2, n_feats=32, depth=3).eval()
    net.load_state_dict(reference.weights)
    reference.check(net(reference.tensors["input"]))


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_keys_are_those_of_the_published_files(check_manifest, scale):
    check_manifest(f"csnln_x{scale}", lambda: CSNLN(scale=scale))


@pytest.mark.parametrize("patch", [1, 3, 5])
@pytest.mark.parametrize("most_scores", [1, 4000, 1 << 20])
@pytest.mark.parametrize(("factor", "height", "width"), [(2, 12, 8), (2, 2, 4), (3, 9, 15), (3, 3, 3)])
@torch.no_grad()
def test_comparing_places_is_comparing_patches(monkeypatch, most_scores, factor, height, width, patch):
    monkeypatch.setattr(csnln, "MOST_SCORES", most_scores)
    attention = CrossScaleAttention(8, factor, patch)
    x = torch.randn(2, 8, height, width)
    expected = torch.cat([by_patches(attention, one, factor) for one in x.split(1)])
    torch.testing.assert_close(attention(x), expected)


def by_patches(attention, x, s):
    """Section 3.1 to the letter: patches are kernels that find their like, and paste what they stand for."""
    keys = attention.conv_match_2(F.avg_pool2d(x, s) if s == 2 else x[:, :, s // 2 :: s, s // 2 :: s])
    raw = attention.conv_assembly(x)
    p = attention.patch
    patches = F.unfold(keys, p, padding=p // 2)[0].T
    patches = patches / patches.norm(dim=1, keepdim=True).clamp(min=1e-4)
    around = p // 2 * s
    raw_patches = F.unfold(raw, p * s, padding=around, stride=s)[0].T
    queries = attention.conv_match_1(x)
    scores = F.conv2d(queries, patches.view(-1, queries.shape[1], p, p), padding=p // 2)
    kernels = raw_patches.view(-1, raw.shape[1], p * s, p * s)
    pasted = F.conv_transpose2d(torch.softmax(10 * scores, 1), kernels, stride=s, padding=around)
    return pasted / (6 * p * p / 9)


@torch.no_grad()
def test_flat_pictures_divide_by_no_zero():
    attention = CrossScaleAttention(4, 2)
    for parameter in attention.parameters():
        parameter.zero_()
    assert attention(torch.ones(1, 4, 4, 4)).isfinite().all()


@pytest.mark.parametrize("most_scores", [1, 100, 1 << 20])
@torch.no_grad()
def test_in_scale_attention_is_a_softmax_over_all_pixels(monkeypatch, most_scores):
    monkeypatch.setattr(csnln, "MOST_SCORES", most_scores)
    attention = InScaleAttention(8)
    x = 3 * torch.randn(2, 8, 4, 6)
    q, k, v = (
        f(x).flatten(2) for f in (attention.conv_match1, attention.conv_match2, attention.conv_assembly)
    )
    expected = F.scaled_dot_product_attention(q.mT, k.mT, v.mT, scale=1.0).mT.view_as(x)
    torch.testing.assert_close(attention(x), expected)


@torch.no_grad()
def test_a_row_of_scores_at_a_time_is_held_where_memory_is_small(monkeypatch):
    sizes, softmax = [], torch.softmax

    def watched(scores, axis):
        sizes.append(scores.numel())
        return softmax(scores, axis)

    attention = CrossScaleAttention(8, 2)
    monkeypatch.setattr(csnln, "MOST_SCORES", 1)
    monkeypatch.setattr(torch, "softmax", watched)
    attention(torch.rand(1, 8, 20, 16))
    row = 16 * (20 * 16 // 4)
    assert len(sizes) == 20
    assert max(sizes) == 5 * row


@torch.no_grad()
def test_a_batch_shares_the_scores_that_may_be_held(monkeypatch):
    sizes, softmax = [], torch.softmax

    def watched(scores, axis):
        sizes.append(scores.numel())
        return softmax(scores, axis)

    monkeypatch.setattr(csnln, "MOST_SCORES", 40_000)
    monkeypatch.setattr(torch, "softmax", watched)
    for attention in (CrossScaleAttention(8, 2), InScaleAttention(8)):
        for n in (1, 2):
            attention(torch.rand(n, 8, 20, 16))
            assert 20_000 < max(sizes) <= 40_000
            sizes.clear()


@torch.no_grad()
def test_the_cell_is_one_and_the_tail_joins_what_each_round_enlarged():
    net = CSNLN(scale=2, n_feats=4, depth=3)
    x = torch.rand(1, 3, 6, 4)
    y, enlarged = net.head(net.sub_mean(x)), []
    for _ in range(3):
        y, big = net.SEM(y)
        enlarged.append(big)
    expected = net.tail(torch.cat(enlarged, 1)) + torch.tensor(RGB_MEAN).view(3, 1, 1)
    torch.testing.assert_close(net(x), expected)


@torch.no_grad()
def test_scale_4_projects_back_over_the_whole_way():
    cell = CSNLN(scale=4, n_feats=4, depth=1).SEM
    x = torch.randn(1, 4, 6, 4)
    twice = cell.multi_source_projection(x)
    twice = twice + cell.error_encode(x - cell.down_sample_1(twice))
    four = cell.multi_source_projection_2(twice)
    four = four + cell.error_encode_2(x - cell.down_sample_3(four))
    following, enlarged = cell(x)
    assert enlarged.shape == (1, 4, 24, 16)
    torch.testing.assert_close(enlarged, four)
    torch.testing.assert_close(following, cell.post_conv(cell.down_sample_4(four)))


def test_gradients_reach_every_parameter():
    net = CSNLN(scale=3, n_feats=4, depth=2)
    net(torch.rand(1, 3, 9, 6)).square().sum().backward()
    trained = [p for p in net.parameters() if p.requires_grad]
    assert all(p.grad is not None and p.grad.isfinite().all() for p in trained)


def test_unknown_scale_is_refused():
    with pytest.raises(ValueError, match="not 8"):
        CSNLN(scale=8)


def test_spec_tells_the_size_rule_and_keeps_tiles_small():
    assert [spec(scale=s).multiple for s in (2, 3, 4)] == [2, 3, 2]
    assert (spec(scale=2).value_range, spec(scale=2).tile, spec(scale=2).tiling) == (1, 60, "approximate")


@pytest.mark.parametrize("patch", [0, 2])
def test_patches_have_a_middle(patch):
    with pytest.raises(ValueError, match=f"odd, not {patch}"):
        CSNLN(scale=2, n_feats=4, depth=1, patch=patch)


def test_training_gives_the_gradients_of_all_rounds():
    net, x = CSNLN(scale=2, n_feats=4, depth=2), torch.rand(1, 3, 6, 8)
    gradients = []
    for mode in (True, False):
        net.train(mode).zero_grad()
        net(x).square().sum().backward()
        gradients.append(
            [parameter.grad.clone() for parameter in net.parameters() if parameter.requires_grad]
        )
    for ours, plain in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, plain)
