import pytest
import torch

from enhance_cli.arch.mimo_unet import AFF, MIMOUNet, spec


@torch.no_grad()
def test_computes_what_the_authors_code_computes(case):
    reference = case("mimo_unet")
    net = MIMOUNet(n_res=1).eval()
    net.load_state_dict(reference.weights)
    outputs = net(reference.tensors["input"])
    assert len(outputs) == 3
    for i, output in enumerate(outputs):
        reference.check(output, f"output.{i}")


@pytest.mark.parametrize(("name", "n_res"), [("mimo_unet", 8), ("mimo_unet_plus", 20)])
def test_keys_are_those_of_the_published_files(check_manifest, name, n_res):
    check_manifest(name, lambda: MIMOUNet(n_res=n_res))


def test_has_the_published_size(count_parameters):
    with torch.device("meta"):
        assert count_parameters(MIMOUNet()) == 6_807_171
        assert count_parameters(MIMOUNet(n_res=20)) == 16_107_651


@torch.no_grad()
def test_without_weights_the_outputs_are_the_input_at_three_sizes():
    net = MIMOUNet(n_res=1, n_feats=4)
    for parameter in net.parameters():
        parameter.zero_()
    x = torch.rand(1, 3, 12, 8)
    quarter, half, full = net(x)
    assert torch.equal(full, x)
    assert torch.equal(half, x[:, :, ::2, ::2])
    assert torch.equal(quarter, x[:, :, ::4, ::4])


@torch.no_grad()
def test_every_level_reaches_the_result():
    net = MIMOUNet(n_res=1, n_feats=4).eval()
    x = torch.rand(1, 3, 16, 16)
    before = net(x)[2]
    for module in (net.SCM1, net.SCM2, net.AFFs[0], net.AFFs[1], net.Decoder[0]):
        weight = next(module.parameters())
        kept = weight.clone()
        weight.add_(0.5)
        assert not torch.equal(net(x)[2], before)
        weight.copy_(kept)


@torch.no_grad()
def test_fusing_before_enlarging_is_fusing_the_enlarged_levels():
    levels = [torch.rand(2, n, 12 // k, 8 // k) for n, k in ((4, 1), (8, 2), (16, 4))]
    enlarged = [
        x.repeat_interleave(k, 2).repeat_interleave(k, 3) for x, k in zip(levels, (1, 2, 4), strict=True)
    ]
    fuse = AFF(28, 4)
    torch.testing.assert_close(fuse(*levels), fuse.conv(torch.cat(enlarged, 1)))


def test_spec_names_the_full_size_output_and_the_size_rule():
    assert (spec().output, spec().multiple) == (2, 4)
    assert spec(n_res=8).halo == 8 * 28 + 17
