import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from enhance_cli.arch import san
from enhance_cli.arch.san import (
    SAN,
    NonLocal,
    RegionNonLocal,
    SecondOrderAttention,
    covariance,
    spec,
    square_root,
)

SMALL = {"n_groups": 2, "n_blocks": 1, "n_feats": 16, "reduction": 4}


@torch.no_grad()
def test_computes_what_the_authors_code_computes(case):
    reference = case("san_x2")
    net = SAN(scale=2, n_groups=3, n_blocks=2, n_feats=32, reduction=8).eval()
    unused = net.load_state_dict(reference.weights, strict=False)
    assert not unused.missing_keys
    reference.check(net(reference.tensors["input"]))


@pytest.mark.parametrize("size", [(4, 4), (5, 7), (37, 45), (4, 500)])
@torch.no_grad()
def test_any_size_from_four_pixels_goes_through(size):
    net = SAN(scale=3, **SMALL)
    torch.nn.init.constant_(net.gamma, 0.1)
    y = net(255 * torch.rand(2, 3, *size))
    assert y.shape == (2, 3, 3 * size[0], 3 * size[1])
    assert y.isfinite().all()


@torch.no_grad()
def test_covariance_is_divided_by_the_number_of_positions():
    x = 100 + torch.randn(2, 5, 7, 9)
    expected = torch.stack([torch.cov(one.flatten(1), correction=0) for one in x])
    torch.testing.assert_close(covariance(x), expected)


@pytest.mark.parametrize(("height", "width"), [(3, 1011), (1011, 3), (1000, 3), (1001, 1003)])
@torch.no_grad()
def test_covariance_is_taken_over_the_centre_of_large_maps(height, width):
    x = torch.randn(1, 2, height, width)
    top, left = max(0, (height - 1000) // 2), max(0, (width - 1000) // 2)
    centre = x[:, :, top : top + 1000, left : left + 1000]
    expected = torch.cov(centre.flatten(2)[0], correction=0)[None]
    torch.testing.assert_close(covariance(x), expected, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_covariance_needs_no_matrix_over_positions():
    with LargestTensor() as seen:
        covariance(torch.empty(1, 8, 300, 400, device="meta"))
    assert seen.largest == 8 * 300 * 400


@torch.no_grad()
def test_square_root_times_itself_is_the_matrix():
    half = torch.eye(6) + 0.1 * torch.randn(3, 6, 6)
    matrix = 1000 * half @ half.mT
    root = square_root(matrix)
    torch.testing.assert_close(root @ root, matrix, rtol=1e-2, atol=1.0)


@torch.no_grad()
def test_square_root_makes_five_steps():
    # Far from convergence every step multiplies an eigenvalue by 3/2.
    root = square_root(torch.diag(torch.tensor([1.0, 1e-6]))[None])[0]
    torch.testing.assert_close(root.diagonal(), torch.tensor([1.0, 1.5**5 * 1e-6]), rtol=1e-4, atol=0)


@torch.no_grad()
def test_channels_without_variation_have_weights_and_no_nan():
    attention = SecondOrderAttention(16, 4)
    x = torch.ones(1, 16, 5, 5)
    torch.testing.assert_close(attention(x)[:, :, :1, :1], attention.conv_du(torch.zeros(1, 16, 1, 1)))


@torch.no_grad()
def test_channel_weights_come_from_rows_of_the_root():
    attention = SecondOrderAttention(16, 4)
    x = 10 * torch.randn(1, 16, 12, 9)
    mean = square_root(covariance(x))[0].mean(0)
    gain = attention(x) / x
    torch.testing.assert_close(gain.amax((2, 3)), attention.conv_du(mean[None, :, None, None])[:, :, 0, 0])


def plain_non_local(block, x):
    """The block by its definition, with all scores at once."""
    q, k, v = (f(x).flatten(2)[0] for f in (block.theta, block.phi, block.g))
    return x + block.W((v @ (q.T @ k).softmax(1).T).view(1, -1, *x.shape[2:]))


@pytest.mark.parametrize("size", [(2, 2), (9, 6)])
@torch.no_grad()
def test_non_local_block_is_a_softmax_over_keys(size):
    block, x = NonLocal(16), 10 * torch.randn(1, 16, *size)
    torch.testing.assert_close(block(x), plain_non_local(block, x))


@torch.no_grad()
def test_parts_of_the_queries_do_not_change_the_result(monkeypatch):
    block, x = NonLocal(16), 10 * torch.randn(2, 16, 9, 6)
    whole = block(x)
    for scores in (1, 7 * 12 * 2):
        monkeypatch.setattr(san, "SCORES", scores)
        torch.testing.assert_close(block(x), whole)


@torch.no_grad()
def test_attention_never_holds_more_scores_than_allowed():
    with LargestTensor() as seen:
        NonLocal(16).to("meta")(torch.empty(1, 16, 200, 200, device="meta"))
    assert seen.largest <= max(san.SCORES, 16 * 200 * 200)


class LargestTensor(TorchDispatchMode):
    """Numbers in the largest tensor that any operation inside gives."""

    largest = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        if isinstance(out, torch.Tensor):
            self.largest = max(self.largest, out.numel())
        return out


@torch.no_grad()
def test_keys_are_pooled_and_a_last_odd_row_is_left_out():
    block, x = NonLocal(16), torch.randn(1, 16, 5, 5)
    changed = x.clone()
    changed[:, :, 4] += 5
    before, after = block(x), block(changed)
    torch.testing.assert_close(after[:, :, :4], before[:, :, :4])
    assert not torch.allclose(after[:, :, 4], before[:, :, 4] + 5)


@torch.no_grad()
def test_quarters_do_not_see_each_other():
    block, x = RegionNonLocal(16), torch.randn(1, 16, 9, 13)
    changed = x.clone()
    changed[:, :, :4, 6:] *= -1
    same = (block(changed) == block(x)).all(1)[0]
    expected = torch.ones(9, 13, dtype=torch.bool)
    expected[:4, 6:] = False
    assert torch.equal(same, expected)


@torch.no_grad()
def test_groups_share_the_source_and_the_long_skip_starts_before_attention():
    net = SAN(scale=2, **SMALL)
    torch.nn.init.constant_(net.gamma, 0.25)
    for group in net.RG:  # now each gives what it is given
        torch.nn.init.zeros_(group.conv_last.weight)
        torch.nn.init.zeros_(group.conv_last.bias)
    x = 255 * torch.rand(1, 3, 8, 6)
    shallow = net.head(net.sub_mean(x))
    source = net.non_local(shallow)
    expected = net.tail(net.non_local(1.5 * source) + shallow)
    torch.testing.assert_close(net(x), net.add_mean(expected))


def test_gradients_are_finite_and_reach_every_parameter():
    net = SAN(scale=2, **SMALL)
    torch.nn.init.constant_(net.gamma, 0.1)
    net(255 * torch.rand(1, 3, 8, 8)).square().mean().backward()
    for name, parameter in net.named_parameters():
        if "mean" not in name:
            assert parameter.grad is not None and parameter.grad.isfinite().all()


def test_spec_bounds_tiles_to_those_of_the_authors():
    known = spec(scale=2)
    assert (known.tiling, known.minimum, known.half) == ("approximate", 4, ())
    assert (known.tile + 2 * known.halo) ** 2 == 160_000
