import pytest
import torch
from small_vgg import NARROW, PLACES, vgg_tensors, write_vgg
from torch.nn import functional as F

from enhance_cli.errors import ModelError
from enhance_cli.train import perceptual
from enhance_cli.train.perceptual import Perceptual

CPU = torch.device("cpu")
POOLED_BEFORE = (5, 10, 19, 28)


@pytest.fixture
def loss(tmp_path, monkeypatch) -> Perceptual:
    monkeypatch.setattr(perceptual, "STAGES", NARROW)
    write_vgg(tmp_path / "vgg19.pth")
    return Perceptual(tmp_path / "vgg19.pth", CPU)


def features(picture: torch.Tensor) -> torch.Tensor:
    """VGG54 written down once more."""
    x = (picture - torch.tensor([0.485, 0.456, 0.406])[:, None, None]) / torch.tensor([0.229, 0.224, 0.225])[
        :, None, None
    ]
    tensors = vgg_tensors()
    for place in PLACES:
        if place > 0:
            x = F.relu(x)
        if place in POOLED_BEFORE:
            x = F.max_pool2d(x, 2)
        x = F.conv2d(x, tensors[f"features.{place}.weight"], tensors[f"features.{place}.bias"], padding=1)
    return F.relu(x)


def test_value_is_the_squared_distance_of_features_after_the_last_activation(loss):
    output, target = torch.rand(2, 2, 3, 32, 48)
    expected = (features(output) / 12.75 - features(target) / 12.75).square().mean()
    assert (features(target) == 0).any()
    assert float(loss(output, target)) == pytest.approx(float(expected), rel=1e-4)
    assert float(loss([target, output], target)) == pytest.approx(float(expected), rel=1e-4)
    assert float(loss(target, target)) == 0


def test_gradient_reaches_the_output_and_not_vgg(loss):
    output = torch.rand(1, 3, 32, 32, requires_grad=True)
    loss(output, torch.rand(1, 3, 32, 32)).backward()
    assert output.grad.abs().max() > 0
    assert all(p.grad is None for p in loss.features.parameters())


def test_the_layout_is_that_of_torchvisions_vgg19():
    shapes = {key: tuple(value.shape) for key, value in perceptual.vgg54().state_dict().items()}
    assert tuple(int(key.split(".")[0]) for key in shapes if key.endswith("weight")) == PLACES
    assert shapes["0.weight"] == (64, 3, 3, 3)
    assert shapes["10.weight"] == (256, 128, 3, 3)
    assert shapes["34.weight"] == (512, 512, 3, 3)


@pytest.mark.parametrize("wrong", ["features.34.bias", "features.10.weight"])
def test_a_file_that_is_not_vgg19_is_named_with_what_it_lacks(tmp_path, monkeypatch, wrong):
    monkeypatch.setattr(perceptual, "STAGES", NARROW)
    tensors = vgg_tensors()
    tensors[wrong] = torch.zeros(7)
    torch.save(tensors, tmp_path / "other.pth")
    with pytest.raises(ModelError, match=rf"other\.pth has no weight '{wrong}' of shape .*vgg19"):
        Perceptual(tmp_path / "other.pth", CPU)


def test_a_missing_file_is_one_line(tmp_path):
    with pytest.raises(ModelError, match=r"cannot read .*none\.pth"):
        Perceptual(tmp_path / "none.pth", CPU)
