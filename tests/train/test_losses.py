import pytest
import torch

from enhance_cli.train.losses import LOSSES, frequency


@pytest.mark.parametrize("name", LOSSES)
def test_no_error_no_loss_and_more_error_more_loss(name):
    target = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    losses = [float(LOSSES[name](target + e, target)) for e in (0.0, 0.1, 0.2)]
    assert losses[0] < 2e-3
    assert losses[0] < losses[1] < losses[2]


def test_values_by_hand():
    output, target = torch.tensor([[[[1.0, 3.0]]]]), torch.zeros(1, 1, 1, 2)
    assert float(LOSSES["l1"](output, target)) == 2
    assert float(LOSSES["l2"](output, target)) == 5


def test_frequency_counts_every_scale():
    target = torch.rand(1, 3, 16, 16)
    small = target[..., ::2, ::2]
    assert float(frequency([small, target], target)) == pytest.approx(0, abs=1e-6)
    assert float(frequency([small + 1, target], target)) > 1
