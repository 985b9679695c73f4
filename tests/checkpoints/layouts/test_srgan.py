import pytest
import torch
from torch.nn import functional as F

from enhance_cli.checkpoints.recognise import recognise


@pytest.mark.parametrize("scale", [2, 4, 8])
def test_published_files_are_recognised(manifest_tensors, network, scale):
    found = recognise(manifest_tensors(f"srgan_leftthomas_x{scale}"))
    assert (found.arch, found.tasks, found.dropped) == ("srgan", ("sr",), ())
    assert found.parameters == {"scale": scale, "n_blocks": 5, "n_feats": 64}
    network(found)


def theirs(n_stages, n_feats=4, n_blocks=5):
    """Random weights under the author's keys."""
    n = n_feats
    shapes = {"block1.0.weight": (n, 3, 9, 9), "block1.0.bias": (n,), "block1.1.weight": (1,)}

    def convolution(key, n_out):
        shapes.update({f"{key}.weight": (n_out, n, 3, 3), f"{key}.bias": (n_out,)})

    def norm(key):
        shapes.update({f"{key}.{name}": (n,) for name in ("weight", "bias", "running_mean", "running_var")})

    for i in range(2, 2 + n_blocks):
        shapes[f"block{i}.prelu.weight"] = (1,)
        for part in (1, 2):
            convolution(f"block{i}.conv{part}", n)
            norm(f"block{i}.bn{part}")
    convolution(f"block{n_blocks + 2}.0", n)
    norm(f"block{n_blocks + 2}.1")
    last = f"block{n_blocks + 3}"
    for i in range(n_stages):
        convolution(f"{last}.{i}.conv", 4 * n)
        shapes[f"{last}.{i}.prelu.weight"] = (1,)
    shapes |= {f"{last}.{n_stages}.weight": (3, n, 9, 9), f"{last}.{n_stages}.bias": (3,)}
    return {key: 0.1 + 0.3 * torch.rand(size) for key, size in shapes.items()}


def generator(t, x, n_stages, n_blocks=5):
    """The network as its author's keys name it, one operation after the other."""

    def conv(x, key):
        weight = t[f"{key}.weight"]
        return F.conv2d(x, weight, t[f"{key}.bias"], padding=weight.shape[-1] // 2)

    def norm(x, key):
        names = ("running_mean", "running_var", "weight", "bias")
        return F.batch_norm(x, *(t[f"{key}.{name}"] for name in names), eps=1e-5)

    first = x = F.prelu(conv(x, "block1.0"), t["block1.1.weight"])
    for i in range(2, 2 + n_blocks):
        y = norm(conv(x, f"block{i}.conv1"), f"block{i}.bn1")
        y = F.prelu(y, t[f"block{i}.prelu.weight"])
        x = x + norm(conv(y, f"block{i}.conv2"), f"block{i}.bn2")
    x = first + norm(conv(x, f"block{n_blocks + 2}.0"), f"block{n_blocks + 2}.1")
    last = f"block{n_blocks + 3}"
    for i in range(n_stages):
        x = F.prelu(F.pixel_shuffle(conv(x, f"{last}.{i}.conv"), 2), t[f"{last}.{i}.prelu.weight"])
    return (torch.tanh(conv(x, f"{last}.{n_stages}")) + 1) / 2


@pytest.mark.parametrize(("n_stages", "n_blocks"), [(1, 5), (2, 5), (3, 5), (2, 16)])
@torch.no_grad()
def test_every_tensor_comes_to_its_place(network, n_stages, n_blocks):
    torch.manual_seed(0)
    tensors = theirs(n_stages, n_blocks=n_blocks)
    # Weights of both signs and small steps: the tanh must not saturate.
    for key in [key for key in tensors if tensors[key].ndim == 4]:
        tensors[key] = 0.3 * (tensors[key] - 0.25)
    found = recognise(tensors)
    assert found.parameters == {"scale": 2**n_stages, "n_blocks": n_blocks, "n_feats": 4}
    x = torch.rand(1, 3, 6, 7)
    expected = generator(tensors, x, n_stages, n_blocks)
    assert expected.std() > 0.01
    torch.testing.assert_close(network(found)(x), expected, rtol=1e-5, atol=1e-6)
