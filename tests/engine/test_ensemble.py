import torch
from torch.nn import functional as F

from enhance_cli.engine.ensemble import eightfold


def test_an_equivariant_function_is_unchanged():
    x = torch.rand(2, 3, 5, 7)
    torch.testing.assert_close(eightfold(lambda t: 2 * t + 1, x), 2 * x + 1)
    torch.testing.assert_close(
        eightfold(lambda t: F.interpolate(t, scale_factor=2.0), x), F.interpolate(x, scale_factor=2.0)
    )


def test_a_directed_filter_becomes_the_mean_of_its_eight_turns():
    kernel = torch.arange(9.0).view(1, 1, 3, 3)
    turned = [torch.rot90(k, n, (2, 3)) for k in (kernel, kernel.flip(3)) for n in range(4)]
    x = torch.rand(1, 1, 6, 9)
    expected = F.conv2d(x, torch.stack(turned).mean(0), padding=1)
    torch.testing.assert_close(eightfold(lambda t: F.conv2d(t, kernel, padding=1), x), expected)


def test_all_eight_orientations_are_seen_once():
    seen = []
    eightfold(lambda t: seen.append(tuple(t.flatten().tolist())) or t, torch.arange(6.0).view(1, 1, 2, 3))
    assert len(seen) == len(set(seen)) == 8


def test_the_mean_is_taken_in_float32():
    assert eightfold(lambda t: t.bfloat16(), torch.rand(1, 1, 2, 2)).dtype == torch.float32
