import math

import pytest
import torch
from torch import nn

from enhance_cli.train.muon import RMS, Muon, orthogonal


@pytest.mark.parametrize("shape", [(3, 8, 40), (2, 40, 8), (1, 1, 9)])
def test_orthogonal_keeps_singular_vectors_and_evens_out_singular_values(shape):
    torch.manual_seed(0)
    matrices = torch.randn(shape)
    u, _, vh = torch.linalg.svd(matrices, full_matrices=False)
    result = orthogonal(matrices)
    values = u.mT @ result @ vh.mT
    diagonal = values.diagonal(dim1=1, dim2=2)
    assert torch.all((diagonal > 0.6) & (diagonal < 1.3))
    assert (values - torch.diag_embed(diagonal)).abs().max() < 1e-4


def test_orthogonal_of_nothing_is_nothing():
    assert torch.equal(orthogonal(torch.zeros(1, 4, 4)), torch.zeros(1, 4, 4))


def test_a_step_moves_every_matrix_against_its_gradient_by_the_same_rms():
    torch.manual_seed(0)
    # Two of one size are worked on together, in the layout that training uses, too.
    convs = [nn.Conv2d(8, 16, 3), nn.Conv2d(8, 16, 3).to(memory_format=torch.channels_last), nn.Linear(5, 7)]
    weights = [conv.weight for conv in convs]
    before = [w.detach().clone() for w in weights]
    for weight, size in zip(weights, (1e-4, 10.0, 1.0), strict=True):
        weight.grad = size * torch.randn_like(weight)
    Muon(weights, lr=0.1).step()
    for weight, old in zip(weights, before, strict=True):
        moved = (weight.detach() - old).flatten(1)
        rows, columns = moved.shape
        # An orthogonal matrix has min(rows, columns) singular values of 1.
        expected = 0.1 * RMS * math.sqrt(max(rows, columns)) / math.sqrt(max(rows, columns))
        assert float(moved.square().mean().sqrt()) == pytest.approx(expected, rel=0.2)
        alone = -orthogonal(weight.grad.flatten(1)[None])[0]
        assert torch.nn.functional.cosine_similarity(moved.flatten(), alone.flatten(), dim=0) > 0.999


def test_steps_find_a_matrix():
    torch.manual_seed(0)
    weight, target = nn.Parameter(torch.zeros(6, 4)), torch.randn(6, 4)
    optimiser = Muon([weight], lr=0.1)
    for step in range(200):
        optimiser.param_groups[0]["lr"] = 0.3 * (1 - step / 200)
        weight.grad = weight.detach() - target
        optimiser.step()
    assert (weight.detach() - target).abs().max() < 0.05


def test_parameters_without_a_gradient_stay():
    weight = nn.Parameter(torch.ones(2, 2))
    Muon([weight], lr=0.1).step()
    assert torch.equal(weight.detach(), torch.ones(2, 2))


def test_bfloat16_orthogonalises_however_small_the_gradient():
    torch.manual_seed(0)
    matrices = torch.randn(2, 8, 40)
    rough = orthogonal(1e-9 * matrices, torch.bfloat16)
    assert rough.dtype == torch.float32
    assert (rough - orthogonal(matrices)).abs().max() < 0.02
