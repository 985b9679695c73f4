"""SMFANet, RLFN, PAN and SPAN as their authors' files name them."""

import pytest
import torch
from torch.nn import functional as F

from enhance_cli.arch.registry import ARCHITECTURES
from enhance_cli.checkpoints.layouts.single import PAN_NAMES
from enhance_cli.checkpoints.recognise import recognise
from enhance_cli.checkpoints.wanted import Wanted
from enhance_cli.errors import ModelError

SIZES = {"n_blocks": 2, "n_feats": 4}


def build(arch, **parameters):
    return ARCHITECTURES[arch].build(**parameters)


def authors(tensors, names):
    """Tensors under the authors' keys: `names` maps beginnings of ours to theirs."""
    found = {}
    for key, one in tensors.items():
        ours = max((name for name in names if key.startswith(f"{name}.")), key=len)
        found[names[ours] + key.removeprefix(ours)] = one
    return found


def numbered(n_blocks, **more):
    blocks = {f"blocks.{i}": f"block_{i + 1}" for i in range(n_blocks)}
    return {"head": "conv_1", **blocks, "after_blocks": "conv_2", "tail": "upsampler", **more}


def pan_names(n_blocks, n_steps):
    body = {
        ours.replace("{}", str(i)): theirs.replace("{}", str(i))
        for i in range(n_blocks)
        for theirs, ours in PAN_NAMES.items()
        if ours.startswith("body.{}")
    }
    steps = {
        f"steps.{i}.{ours}": f"{theirs[0]}{i + 1}{theirs[1]}"
        for i in range(n_steps)
        for ours, theirs in (
            ("smooth", ("upconv", "")),
            ("attention", ("att", ".conv")),
            ("refine", ("HRconv", "")),
        )
    }
    return {"head": "conv_first", **body, "after_body": "trunk_conv", **steps, "tail": "conv_last"}


@pytest.mark.parametrize("parameters", [{"scale": 4, **SIZES}, {"scale": 2, "n_blocks": 3, "n_feats": 48}])
def test_smfanet_is_told_by_its_shapes(network, parameters):
    theirs = build("smfanet", **parameters)
    found = recognise(theirs.state_dict())
    assert (found.arch, found.parameters, found.tasks) == ("smfanet", parameters, ("sr",))
    assert ("SMFANet+" in found.title) == (parameters["n_feats"] == 48)
    network(found)


@pytest.mark.parametrize("n_mid", [4, 6])
@torch.no_grad()
def test_rlfn_is_told_by_its_shapes(network, n_mid):
    parameters = {"scale": 3, **SIZES, "n_mid": n_mid, "n_attention": 3}
    net = build("rlfn", **parameters)
    found = recognise(authors(net.state_dict(), numbered(2)))
    assert (found.arch, found.parameters) == ("rlfn", parameters)
    x = torch.rand(1, 3, 16, 17)
    torch.testing.assert_close(network(found)(x), net(x))


@pytest.mark.parametrize(("scale", "n_steps"), [(2, 1), (3, 1), (4, 2)])
@torch.no_grad()
def test_pan_is_told_by_its_shapes_but_for_two_scales(network, scale, n_steps):
    parameters = {"scale": scale, **SIZES, "n_narrow": 6}
    net = build("pan", **parameters)
    theirs = authors(net.state_dict(), pan_names(2, n_steps))
    found = recognise(theirs, Wanted(scale=scale))
    assert (found.arch, found.parameters) == ("pan", parameters)
    assert len(found.notes) == (scale != 4)
    x = torch.rand(1, 3, 7, 6)
    torch.testing.assert_close(network(found)(x), net(x))
    if scale != 4:
        with pytest.raises(
            ModelError, match="this PAN file does not tell its scale; say --arch-option scale=2 or 3"
        ):
            recognise(theirs)
        assert recognise(theirs, Wanted(options={"scale": str(scale)})).notes == ()


class Conv3XC(torch.nn.Module):
    """A convolution as SPAN trains it: 1x1, 3x3 and 1x1, beside a 1x1."""

    def __init__(self, n_in, n_out):
        super().__init__()
        self.sk = torch.nn.Conv2d(n_in, n_out, 1)
        self.conv = torch.nn.Sequential(
            torch.nn.Conv2d(n_in, 2 * n_in, 1),
            torch.nn.Conv2d(2 * n_in, 2 * n_out, 3),
            torch.nn.Conv2d(2 * n_out, n_out, 1),
        )
        self.eval_conv = torch.nn.Conv2d(n_in, n_out, 3)

    def forward(self, x):
        """Without the border, which the authors' networks fill with zeros once trained."""
        return self.conv(x) + self.sk(x)[:, :, 1:-1, 1:-1]


def span_file(ways=True):
    """A random SPAN under its authors' keys, and the trained form of its convolutions by name."""
    net = build("span", scale=2, **SIZES)
    theirs, trained = {}, {}
    for key, one in authors(net.state_dict(), numbered(2, join="conv_cat")).items():
        name, kind = key.rsplit(".", 1)
        if name in ("conv_cat", "upsampler.0"):
            theirs[key] = one
        elif kind == "weight":
            trained[name] = Conv3XC(one.shape[1], one.shape[0])
            kept = trained[name].state_dict(prefix=f"{name}.")
            theirs |= {k: v for k, v in kept.items() if ways or ".eval_conv." in k}
    return theirs, trained


@torch.no_grad()
def test_span_takes_the_ways_its_convolutions_were_trained_in(network):
    theirs, trained = span_file()
    found = recognise(theirs)
    assert (found.arch, found.parameters) == ("span", {"scale": 2, **SIZES, "norm": True})
    net = network(found)
    names = numbered(2)
    for name, module in trained.items():
        ours = next(o for o, t in names.items() if name == t or name.startswith(f"{t}."))
        layer = net.get_submodule(ours + name.removeprefix(names[ours]))
        x = torch.rand(1, layer.weight.shape[1], 6, 7)
        torch.testing.assert_close(F.conv2d(x, layer.weight, layer.bias), module(x), rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_span_of_plain_convolutions_and_without_norm(network):
    theirs, trained = span_file(ways=False)
    found = recognise({**theirs, "no_norm": torch.zeros(1)})
    assert found.parameters["norm"] is False
    assert torch.equal(network(found).head.weight, trained["conv_1"].eval_conv.weight)


def test_what_span_has_no_place_for_is_kept_for_the_strict_load():
    theirs, _ = span_file()
    assert "attention.weight" in recognise({**theirs, "attention.weight": torch.zeros(1)}).tensors


@pytest.mark.parametrize(
    ("file", "title", "parameters"),
    [
        ("SMFANet_DF2K_x4.pth", "SMFANet (", {"scale": 4, "n_blocks": 8, "n_feats": 36}),
        ("SMFANet_plus_DF2K_x2.pth", "SMFANet+ (", {"scale": 2, "n_blocks": 12, "n_feats": 48}),
        ("rlfn_x4.pth", "RLFN (", {"scale": 4, "n_blocks": 6, "n_feats": 52, "n_mid": 52, "n_attention": 16}),
        ("PANx4_DF2K.pth", "PAN (", {"scale": 4, "n_blocks": 16, "n_feats": 40, "n_narrow": 24}),
    ],
)
def test_files_of_the_authors_are_read(shared, file, title, parameters):
    from enhance_cli.checkpoints.reader import load_file

    net = load_file(shared / "reference/community" / file)
    assert net.title.startswith(title)
    assert (net.parameters, net.dropped) == (parameters, ())
