import math

import pytest
import torch

from enhance_cli.train import adversary
from enhance_cli.train.adversary import Discriminator, deception, detection


@pytest.fixture(autouse=True)
def narrow(monkeypatch) -> None:
    monkeypatch.setattr(adversary, "WIDTHS", (4, 4, 8, 8))
    monkeypatch.setattr(adversary, "N_DENSE", 16)
    torch.manual_seed(0)


def test_the_network_is_that_of_figure_4(monkeypatch):
    monkeypatch.undo()
    with torch.device("meta"):
        made = Discriminator(n_colours=3, side=96)
    convs = [layer for layer in made.modules() if isinstance(layer, torch.nn.Conv2d)]
    assert [c.out_channels for c in convs] == [64, 64, 128, 128, 256, 256, 512, 512]
    assert [c.stride[0] for c in convs] == [1, 2] * 4
    assert [m.in_features for m in made.modules() if isinstance(m, torch.nn.Linear)] == [512 * 6 * 6, 1024]
    assert sum(isinstance(layer, torch.nn.BatchNorm2d) for layer in made.modules()) == 7


@pytest.mark.parametrize(("n_colours", "side"), [(3, 48), (1, 50)])
def test_one_judgement_for_each_patch(n_colours, side):
    made = Discriminator(n_colours=n_colours, side=side)
    assert made(torch.rand(3, n_colours, side, side)).shape == (3, 1)


def test_losses_of_one_who_cannot_tell():
    made = Discriminator(n_colours=1, side=16)
    for parameter in made.parameters():
        torch.nn.init.zeros_(parameter)
    ours, true = torch.rand(2, 2, 1, 16, 16)
    assert float(deception(made, ours).detach()) == pytest.approx(math.log(2))
    assert float(detection(made, ours, true).detach()) == pytest.approx(2 * math.log(2))


def test_deception_leaves_the_discriminator_out():
    made = Discriminator(n_colours=1, side=16)
    ours = torch.rand(4, 1, 16, 16, requires_grad=True)
    deception(made, ours).backward()
    assert ours.grad.abs().max() > 0
    assert all(p.grad is None and p.requires_grad for p in made.parameters())


def test_it_learns_to_tell_flat_patches_from_noise(monkeypatch):
    monkeypatch.setattr(adversary, "WIDTHS", (4, 8))
    made = Discriminator(n_colours=1, side=16)
    adam = torch.optim.Adam(made.parameters(), lr=1e-2)

    def kinds() -> tuple[torch.Tensor, torch.Tensor]:
        return torch.rand(8, 1, 1, 1).expand(8, 1, 16, 16), torch.rand(8, 1, 16, 16)

    for _ in range(40):
        adam.zero_grad()
        detection(made, *kinds()).backward()
        adam.step()
    flat, noise = (float(deception(made, kind).detach()) for kind in kinds())
    assert noise < 0.1 and flat > 2
