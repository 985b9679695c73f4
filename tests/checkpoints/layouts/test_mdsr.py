import pytest
import torch

from enhance_cli.arch.registry import ARCHITECTURES
from enhance_cli.checkpoints.layouts.edsr import edsr, mdsr
from enhance_cli.checkpoints.recognise import recognise
from enhance_cli.checkpoints.wanted import Wanted
from enhance_cli.errors import ModelError

WANTED = Wanted(task="sr", scale=3.0)


def make(**parameters):
    net = ARCHITECTURES["mdsr"].build(scale=2, **{"n_blocks": 3, "n_feats": 4, **parameters})
    return dict(net.state_dict())


@pytest.mark.parametrize(("name", "n_blocks"), [("mdsr", 80), ("mdsr_baseline", 16)])
def test_published_files_are_known(manifest_tensors, name, n_blocks):
    found = recognise(manifest_tensors(name), WANTED)
    assert (found.arch, found.tasks, found.dropped) == ("mdsr", ("sr",), ())
    assert found.parameters == {"scale": 3, "n_blocks": n_blocks, "n_feats": 64}
    with torch.device("meta"):
        net = ARCHITECTURES["mdsr"].build(**found.parameters)
    net.load_state_dict(found.tensors, assign=True)


@pytest.mark.parametrize(("scale", "output"), [(2, "output.0"), (3, "output.1"), (4, "output.2")])
@torch.no_grad()
def test_a_file_as_read_computes_what_the_authors_code_computes(reference_case, scale, output):
    case = reference_case("mdsr")
    found = recognise(case.weights, Wanted(scale=scale))
    net = ARCHITECTURES["mdsr"].build(**found.parameters).eval()
    net.load_state_dict(found.tensors)
    y, expected = net(case.tensors["input"]), case.tensors[output]
    assert (y - expected).abs().max() <= case.tolerance * expected.abs().max()


@pytest.mark.parametrize(
    ("asked", "taken"), [(1.0, 2), (2.0, 2), (2.5, 3), (3.0, 3), (3.01, 4), (4.0, 4), (8.0, 4)]
)
def test_the_smallest_scale_that_is_enough_is_taken(asked, taken):
    found = recognise(make(), Wanted(scale=asked))
    assert found.parameters == {"scale": taken, "n_blocks": 3, "n_feats": 4}
    assert found.notes == ()


def test_without_a_wish_two_is_taken_and_said():
    found = recognise(make())
    assert found.parameters["scale"] == 2
    assert len(found.notes) == 1 and "--scale" in found.notes[0]


def test_missing_mean_shift_gets_its_nominal_values():
    tensors = make()
    stripped = {key: tensor for key, tensor in tensors.items() if "mean" not in key}
    assert len(stripped) == len(tensors) - 4
    torch.testing.assert_close(recognise(stripped, WANTED).tensors, tensors)


@pytest.mark.parametrize("dropped", ["upsample.2.", "upsample.2.2."])
def test_other_scales_are_refused(dropped):
    tensors = {key: tensor for key, tensor in make().items() if not key.startswith(dropped)}
    with pytest.raises(ModelError, match="only those for 2, 3, 4"):
        recognise(tensors, WANTED)


def test_edsr_and_mdsr_are_told_apart():
    network = ARCHITECTURES["edsr"].build(scale=2, n_blocks=2, n_feats=4)
    assert mdsr(network.state_dict(), WANTED) is None
    assert edsr(make(), WANTED) is None
