import pytest
import torch

from enhance_cli.arch.ffdnet import FFDNet
from enhance_cli.checkpoints.recognise import recognise


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("kair_ffdnet_gray", {"n_colours": 1, "n_feats": 64, "n_layers": 15}),
        ("kair_ffdnet_color", {"n_colours": 3, "n_feats": 96, "n_layers": 12}),
    ],
)
def test_published_files_are_recognised(manifest_tensors, network, name, parameters):
    found = recognise(manifest_tensors(name))
    assert (found.arch, found.parameters, found.tasks) == ("ffdnet", parameters, ("denoise",))
    network(found)


def test_kairs_files_are_taken_as_they_are():
    tensors = FFDNet(n_feats=4, n_layers=3).state_dict()
    found = recognise(tensors).tensors
    assert all(torch.equal(found[key], tensor) for key, tensor in tensors.items())


def by_columns(tensors, n_colours, last):
    """The network as MATLAB stores it: within a cell (0,0), (1,0), (0,1), (1,1)."""
    order = [4 * c + 2 * row + column for c in range(n_colours) for column in (0, 1) for row in (0, 1)]
    theirs = {f"layers.{int(key.split('.')[1]) // 2}.{key.split('.')[2]}": t for key, t in tensors.items()}
    theirs["layers.0.weight"] = theirs["layers.0.weight"][:, [*order, 4 * n_colours]]
    for key in (f"layers.{last}.weight", f"layers.{last}.bias"):
        theirs[key] = theirs[key][order]
    return theirs


@pytest.mark.parametrize("n_colours", [1, 3])
@torch.no_grad()
def test_matlab_files_have_their_sub_pictures_reordered(network, n_colours):
    net = FFDNet(n_colours=n_colours, n_feats=4, n_layers=3)
    theirs = by_columns(net.state_dict(), n_colours, last=2)
    assert not torch.equal(theirs["layers.0.weight"], net.model[0].weight)
    found = recognise(theirs)
    assert "MatConvNet" in found.title
    x, sigma = torch.rand(1, n_colours, 7, 8), torch.full((1, 1, 1, 1), 0.1)
    torch.testing.assert_close(network(found)(x, sigma), net(x, sigma))
