import pytest
import torch

from enhance_cli.arch.blocks import RGB_MEAN
from enhance_cli.arch.edsr import EDSR, spec

FULL = {"n_blocks": 32, "n_feats": 256, "res_scale": 0.1}


@pytest.mark.parametrize(
    ("name", "reduced"),
    [
        ("edsr_baseline_x2", {"scale": 2}),
        ("edsr_baseline_x4", {"scale": 4, "n_blocks": 4, "n_feats": 32}),
        ("edsr_resscale_x3", {"scale": 3, "n_blocks": 3, "n_feats": 24, "res_scale": 0.1}),
    ],
)
@torch.no_grad()
def test_computes_what_the_authors_code_computes(case, name, reduced):
    reference = case(name)
    net = EDSR(**reduced).eval()
    net.load_state_dict(reference.weights)
    reference.check(net(reference.tensors["input"]))


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_keys_are_those_of_the_published_files(check_manifest, scale):
    check_manifest(f"edsr_baseline_x{scale}", lambda: EDSR(scale=scale))
    check_manifest(f"edsr_x{scale}", lambda: EDSR(scale=scale, **FULL))


@pytest.mark.parametrize(("scale", "published"), [(2, 1_369_859), (3, 1_554_499), (4, 1_517_571)])
def test_baseline_has_the_published_size(count_parameters, scale, published):
    mean_shift = 2 * (3 * 3 + 3)
    assert count_parameters(EDSR(scale=scale)) == published + mean_shift


@torch.no_grad()
def test_mean_shift_is_undone_at_the_output():
    net = EDSR(scale=2, n_blocks=1, n_feats=4)
    torch.nn.init.zeros_(net.tail[1].weight)
    torch.nn.init.zeros_(net.tail[1].bias)
    expected = 255 * torch.tensor(RGB_MEAN)
    torch.testing.assert_close(net(torch.rand(1, 3, 5, 4))[0, :, 3, 3], expected)


@torch.no_grad()
def test_mean_shift_comes_from_the_weights_and_not_from_a_constant():
    net = EDSR(scale=2, n_blocks=1, n_feats=4)
    x = 255 * torch.rand(1, 3, 6, 5)
    before = net(x)
    net.add_mean.bias += 2
    torch.testing.assert_close(net(x), before + 2)


@torch.no_grad()
def test_res_scale_weakens_the_blocks():
    plain, scaled = (EDSR(scale=2, n_blocks=1, n_feats=4, res_scale=s) for s in (1.0, 0.1))
    scaled.load_state_dict(plain.state_dict())
    x = torch.randn(1, 4, 6, 6)
    change = plain.body[0](x) - x
    torch.testing.assert_close(scaled.body[0](x) - x, 0.1 * change)


def test_unknown_scale_is_refused():
    with pytest.raises(ValueError, match="not 5"):
        EDSR(scale=5)


def test_spec_tells_the_value_range():
    assert spec(scale=4).value_range == 255
    assert spec(scale=4).halo == 36
