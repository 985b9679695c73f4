import pytest
import torch

from enhance_cli.arch import rnan
from enhance_cli.arch.blocks import RGB_MEAN
from enhance_cli.arch.rnan import RNAN, NonLocal, spec

SMALL = {"n_groups": 3, "n_feats": 4}


@torch.no_grad()
def test_computes_what_the_authors_code_computes(case):
    reference = case("rnan_dn_gray")
    net = RNAN(n_colours=1, n_groups=3, n_feats=20).eval()
    net.load_state_dict(reference.weights)
    reference.check(net(reference.tensors["input"]))


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        *((f"rnan_sr_x{scale}", {"scale": scale}) for scale in (2, 3, 4)),
        ("rnan_dn_rgb", {}),
        ("rnan_demosaic", {}),
        ("rnan_dn_gray", {"n_colours": 1}),
        ("rnan_car", {"n_colours": 1}),
    ],
)
def test_keys_are_those_of_the_published_files(check_manifest, name, parameters):
    check_manifest(name, lambda: RNAN(**parameters))


@pytest.mark.parametrize("most_scores", [1, 100, 1 << 20])
@torch.no_grad()
def test_every_key_gives_away_a_whole_however_many_are_taken_at_once(monkeypatch, most_scores):
    monkeypatch.setattr(rnan, "MOST_SCORES", most_scores)
    block = NonLocal(8)
    x = 3 * torch.randn(2, 8, 5, 6)
    theta, phi, g = (embed(x).flatten(2) for embed in (block.theta, block.phi, block.g))
    weights = torch.einsum("ncq,nck->nqk", theta, phi).exp()
    weights /= weights.sum(1, keepdim=True)
    expected = torch.einsum("nqk,nck->ncq", weights, g).view(2, 4, 5, 6)
    torch.testing.assert_close(block(x), x + block.W(expected))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_adding_up_keys_leaves_gradients_as_they_were(monkeypatch, dtype):
    torch.manual_seed(0)
    block, x = NonLocal(8), torch.randn(1, 8, 5, 6)
    gradients = []
    for most_scores in (1 << 20, 100):
        monkeypatch.setattr(rnan, "MOST_SCORES", most_scores)
        block.zero_grad()
        with torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
            block(x).square().sum().backward()
        gradients.append(block.phi.weight.grad.clone())
    close = {} if dtype == torch.float32 else {"rtol": 0.05, "atol": 0.05}
    torch.testing.assert_close(*gradients, **close)


@torch.no_grad()
def test_mixed_precision_leaves_non_local_blocks_exact():
    block, x = NonLocal(8), torch.randn(1, 8, 5, 6)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = block(x)
    assert torch.equal(mixed, block(x))


@pytest.mark.parametrize(("n", "expected"), [(1, [90] * 10), (2, [60] * 30)])
@torch.no_grad()
def test_no_more_scores_than_allowed_are_held_at_once(monkeypatch, n, expected):
    sizes, softmax = [], torch.softmax

    def watched(scores, axis):
        sizes.append(scores.numel())
        return softmax(scores, axis)

    monkeypatch.setattr(rnan, "MOST_SCORES", 100)
    monkeypatch.setattr(torch, "softmax", watched)
    NonLocal(8)(torch.rand(n, 8, 5, 6))
    assert sizes == expected


@torch.no_grad()
def test_only_first_and_last_group_are_non_local():
    net = RNAN(n_groups=5, n_feats=4)
    non_local = [name.split(".")[0] for name, part in net.named_modules() if isinstance(part, NonLocal)]
    assert non_local == ["body_nl_low", "body_nl_high"]
    assert len(net.body) == 3 + 1


@torch.no_grad()
def test_restoration_predicts_what_to_add():
    net = RNAN(**SMALL)
    torch.nn.init.zeros_(net.tail[0].weight)
    torch.nn.init.constant_(net.tail[0].bias, 7)
    x = 255 * torch.rand(1, 3, 6, 8)
    torch.testing.assert_close(net(x), x + 7)


@torch.no_grad()
def test_super_resolution_skips_from_head_to_tail_and_gives_the_mean_back():
    net = RNAN(scale=2, **SMALL)
    for parameter in net.body_nl_high[0].body[1].parameters():
        parameter.zero_()
    x = 255 * torch.rand(1, 3, 6, 8)
    expected = net.tail(net.head(net.sub_mean(x))) + 255 * torch.tensor(RGB_MEAN).view(3, 1, 1)
    torch.testing.assert_close(net(x), expected)


@torch.no_grad()
def test_a_closed_mask_leaves_the_first_residual_blocks_result():
    block = RNAN(**SMALL).body[0].body[0]
    for mask in block.RA_MB[0].MB_1x1conv.parameters():
        mask.fill_(-1e4 if mask.ndim == 1 else 0)
    x = torch.randn(1, 4, 6, 8)
    torch.testing.assert_close(block(x), block.RA_tail(block.RA_RB1(x)))


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"scale": 2, "n_colours": 1}, "n_colours=3, not 1"),
        ({"scale": 5}, "not 5"),
        ({"n_groups": 1}, "not 1"),
    ],
)
def test_unknown_shapes_are_refused(parameters, said):
    with pytest.raises(ValueError, match=said):
        RNAN(**parameters)


def test_spec_wants_even_sizes_and_small_tiles():
    assert (spec().multiple, spec().value_range, spec().tiling) == (2, 255, "approximate")
    assert (spec().tile, spec(scale=2).tile) == (96, 144)
    assert [spec(n_colours=n).colour for n in (1, 3)] == ["gray", "rgb"]
