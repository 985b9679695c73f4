import pytest
import torch
from torch import nn

from enhance_cli.arch.mdsr import MDSR, SCALES, spec

every_scale = pytest.mark.parametrize("scale", SCALES)


@pytest.mark.parametrize(("scale", "output"), [(2, "output.0"), (3, "output.1"), (4, "output.2")])
@torch.no_grad()
def test_computes_what_the_authors_code_computes(case, scale, output):
    reference = case("mdsr")
    net = MDSR(scale=scale, n_blocks=3, n_feats=20).eval()
    net.load_state_dict(reference.weights)
    reference.check(net(reference.tensors["input"]), output)


@every_scale
def test_keys_are_those_of_the_published_files(check_manifest, scale):
    check_manifest("mdsr_baseline", lambda: MDSR(scale=scale))
    check_manifest("mdsr", lambda: MDSR(scale=scale, n_blocks=80))


def test_has_the_size_told_by_the_paper(count_parameters):
    with torch.device("meta"):
        assert round(count_parameters(MDSR(scale=2, n_blocks=80)) / 1e6, 1) == 8.0


@every_scale
@pytest.mark.parametrize("branches", ["pre_process", "upsample"])
@torch.no_grad()
def test_only_the_branch_of_the_scale_counts(scale, branches):
    net = MDSR(scale=scale, n_blocks=1, n_feats=4)
    x = 255 * torch.rand(1, 3, 6, 5)
    before = net(x)
    for own, branch in zip(SCALES, getattr(net, branches), strict=True):
        if own != scale:
            spoil(branch)
    torch.testing.assert_close(net(x), before, rtol=0, atol=0)
    spoil(getattr(net, branches)[SCALES.index(scale)])
    assert net(x).isnan().any()


def spoil(module):
    for parameter in module.parameters():
        parameter.fill_(torch.nan)


@torch.no_grad()
def test_the_long_skip_starts_behind_the_blocks_of_the_scale():
    net = MDSR(scale=2, n_blocks=1, n_feats=4)
    for parameter in net.body[-1].parameters():
        parameter.zero_()
    seen = {}
    for name in ("pre_process", "upsample"):
        getattr(net, name)[0].register_forward_hook(
            lambda _, given, out, name=name: seen.update({name: (given[0], out)})
        )
    net(255 * torch.rand(1, 3, 6, 5))
    before, after = seen["pre_process"]
    assert not torch.allclose(before, after)
    torch.testing.assert_close(seen["upsample"][0], after)


@pytest.mark.parametrize("scale", [1, 8])
def test_unknown_scale_is_refused(scale):
    with pytest.raises(ValueError, match=f"not {scale}"):
        MDSR(scale=scale)


def test_blocks_of_the_scale_have_large_kernels():
    kernels = {
        m.kernel_size for m in MDSR(scale=3, n_feats=4).pre_process.modules() if isinstance(m, nn.Conv2d)
    }
    assert kernels == {(5, 5)}


def test_spec_tells_the_scale_of_the_branch():
    assert (spec(scale=3).scale, spec(scale=3).value_range, spec(scale=3).halo) == (3, 255, 44)


@torch.no_grad()
def test_one_network_turns_to_every_scale():
    net = MDSR(scale=2, n_blocks=1, n_feats=4).eval()
    x = 255 * torch.rand(1, 3, 5, 6)
    for scale in SCALES:
        alone = MDSR(scale=scale, n_blocks=1, n_feats=4).eval()
        alone.load_state_dict(net.state_dict())
        net.turn_to(scale)
        assert torch.equal(net(x), alone(x))
    with pytest.raises(ValueError, match="not 5"):
        net.turn_to(5)
