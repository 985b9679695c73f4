import re

import pytest
import torch
from torch import nn

from enhance_cli.arch.registry import ARCHITECTURES
from enhance_cli.checkpoints import recognise as recognising
from enhance_cli.checkpoints.reader import load_file
from enhance_cli.checkpoints.recognise import recognise
from enhance_cli.checkpoints.wanted import Wanted
from enhance_cli.errors import ModelError


@pytest.mark.parametrize(
    "raised", [RuntimeError, NotImplementedError, TypeError, KeyError, ZeroDivisionError, RecursionError]
)
def test_whatever_a_layout_stumbles_over_is_one_line(monkeypatch, raised):
    def stumbling(tensors, wanted):
        raise raised("over this\nand " + "that" * 100)

    monkeypatch.setattr(recognising, "LAYOUTS", (stumbling,))
    with pytest.raises(
        ModelError, match=f"like stumbling's but do not add up .{raised.__name__}: "
    ) as caught:
        recognise({"weight": torch.zeros(1)})
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("text", ["nan", "inf", "-1e999", "big", ""])
def test_an_option_that_is_no_finite_number_is_refused(text):
    with pytest.raises(ModelError, match=f"res_scale={text} is not a number; write it like res_scale=1"):
        Wanted(options={"res_scale": text}).number("res_scale", 1.0)


@pytest.mark.parametrize(
    ("arch", "parameters"), [("vdsr", {"n_layers": 60}), ("srgan", {"scale": 2, "n_blocks": 60})]
)
def test_the_work_grows_with_the_number_of_keys_and_not_with_its_square(monkeypatch, arch, parameters):
    theirs = {
        "vdsr": ["input.weight", *(f"residual_layer.{i}.conv.weight" for i in range(58)), "output.weight"],
        "srgan": [
            "block1.0.weight",
            "block2.prelu.weight",
            "block2.bn2.running_mean",
            *(f"block{i + 2}.conv1.weight" for i in range(60)),
        ],
    }[arch]
    tensors = {key: torch.zeros(4, 1, 3, 3) for key in theirs}
    matched = []
    original = re.fullmatch
    monkeypatch.setattr(re, "fullmatch", lambda *given: matched.append(0) or original(*given))
    found = recognise(tensors)
    assert found.arch == arch
    assert found.parameters.items() >= parameters.items() - {("scale", 2)}
    assert len(matched) <= 12 * len(tensors)


def test_an_option_is_its_number_or_the_default():
    assert Wanted(options={"res_scale": "1e-1"}).number("res_scale", 1.0) == 0.1
    assert Wanted().number("res_scale", 0.5) == 0.5


EDSR = ARCHITECTURES["edsr"].build(scale=2, n_blocks=1, n_feats=4)
WEIGHTS = EDSR.state_dict()
LOSS = {"loss.vgg.features.0.weight": torch.randn(4, 3, 3, 3), "loss.vgg.ids": torch.arange(3)}


def under(prefix, tensors=WEIGHTS):
    return {f"{prefix}.{key}": one for key, one in tensors.items()}


def averaged():
    return torch.optim.swa_utils.AveragedModel(EDSR).state_dict()


@pytest.mark.parametrize(
    ("tensors", "dropped"),
    [
        pytest.param(under("_orig_mod"), 0, id="compiled"),
        pytest.param(under("module._orig_mod"), 0, id="compiled inside DataParallel"),
        pytest.param(under("_orig_mod.module"), 0, id="DataParallel, compiled"),
        pytest.param(
            {key.replace(".", "._orig_mod.", 1): one for key, one in WEIGHTS.items()}, 0, id="parts"
        ),
        pytest.param(nn.DataParallel(EDSR).state_dict(), 0, id="DataParallel"),
        pytest.param(averaged(), 1, id="AveragedModel"),
        pytest.param({**under("generator"), "step_counter": torch.tensor(0)}, 1, id="beside a counter"),
        pytest.param(
            {**WEIGHTS, "initted": torch.tensor([1.0]), "step": torch.tensor([5.0])}, 2, id="floats"
        ),
        pytest.param(
            {**WEIGHTS, "passes": torch.tensor(7), "ready": torch.tensor(True)}, 2, id="other names"
        ),
        pytest.param(
            {**under("generator"), "discriminator.conv.weight": torch.randn(4, 3, 3, 3)}, 1, id="GAN"
        ),
        pytest.param({**under("model"), **LOSS}, 2, id="Lightning"),
        pytest.param({**under("model.module.net"), **LOSS}, 2, id="deeper"),
        pytest.param({**under("model._orig_mod"), **LOSS}, 2, id="Lightning, compiled"),
    ],
)
def test_what_trainings_put_around_a_network_is_undone_and_listed(tensors, dropped):
    found = recognise(tensors)
    assert found.arch == "edsr"
    assert found.tensors.keys() == WEIGHTS.keys()
    assert all(torch.equal(found.tensors[key], one) for key, one in WEIGHTS.items())
    assert len(found.dropped) == dropped


def test_the_prefix_that_was_taken_is_told():
    found = recognise({**under("generator"), "discriminator.conv.weight": torch.randn(4, 3, 3, 3)})
    assert "the network under 'generator' taken" in found.notes
    assert found.dropped == ("discriminator.conv.weight",)


@pytest.mark.parametrize(
    ("live", "smooth"),
    [("online_model", "ema_model"), ("net_g", "net_g_ema"), ("params", "params_ema"), ("state_dict", "ema")],
)
def test_of_two_networks_the_averaged_one_is_taken_unless_told_otherwise(live, smooth):
    other = {key: one + 1 for key, one in WEIGHTS.items()}
    tensors = {**under(live, other), **under(smooth), "initted": torch.tensor(True)}
    found = recognise(tensors)
    assert torch.equal(found.tensors["head.0.weight"], WEIGHTS["head.0.weight"])
    assert "--arch-option prefix=NAME says otherwise" in found.notes[-1]
    for prefix in (live, f"{live}."):
        found = recognise(tensors, Wanted(options={"prefix": prefix}))
        assert torch.equal(found.tensors["head.0.weight"], other["head.0.weight"])


@pytest.mark.parametrize("wrapper", ["params", "state_dict", "model", "netG", "ema", "weights of my own"])
def test_a_single_network_under_any_name_needs_no_word(wrapper):
    found = recognise(under(wrapper))
    assert found.tensors.keys() == WEIGHTS.keys()
    assert (found.dropped, len(found.notes)) == ((), 1)


def test_networks_that_cannot_be_told_apart_are_named():
    tensors = {**under("photo"), **under("drawing")}
    with pytest.raises(ModelError, match=r"several networks; .*'photo', 'drawing': say which with --arch"):
        recognise(tensors)
    assert recognise(tensors, Wanted(options={"prefix": "drawing"})).arch == "edsr"
    with pytest.raises(ModelError, match=r"no network under 'paint'; those known are under 'photo', 'd"):
        recognise(tensors, Wanted(options={"prefix": "paint"}))


def test_a_part_of_an_unknown_network_is_not_taken_for_a_small_one():
    part = ARCHITECTURES["dncnn"].build(n_feats=4, n_layers=4).state_dict()
    part["model.2.weight"] = torch.randn(5, 4, 3, 3)
    with pytest.raises(ModelError, match="of no network known here"):
        recognise({**under("trunk", part), "tail.weight": torch.randn(3, 3)})


def test_a_network_that_leaves_something_open_asks_behind_a_prefix_too():
    tensors = under("generator", ARCHITECTURES["fsrcnn"].build(scale=2).state_dict())
    with pytest.raises(ModelError, match="--arch-option scale="):
        recognise({**tensors, **LOSS})
    assert recognise({**tensors, **LOSS}, Wanted(scale=2)).arch == "fsrcnn"


def test_thousands_of_beginnings_are_not_all_tried(monkeypatch):
    tried = []
    monkeypatch.setattr(recognising, "LAYOUTS", (lambda tensors, wanted: tried.append(0),))
    with pytest.raises(ModelError, match="of no network known here"):
        recognise({f"{i}.{i}.{i}.{i}.weight": torch.zeros(1) for i in range(1000)})
    assert len(tried) < 500


def test_cases_of_other_frameworks(shared):
    files = sorted((shared / "cases/checkpoint-prefixes").glob("*.[pc]*t*"))
    assert len(files) == 8
    plain = load_file(next(path for path in files if path.stem == "plain"))
    for path in files:
        net = load_file(path)
        assert net.title == "EDSR (BasicSR keys)"
        assert net.parameters == plain.parameters
