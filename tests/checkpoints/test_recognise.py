import re

import pytest
import torch

from enhance_cli.checkpoints import recognise as recognising
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
