import pytest
import torch
from safetensors.torch import load_file

from enhance_cli.checkpoints.recognise import recognise


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_published_files_are_recognised(manifest_tensors, network, scale):
    found = recognise(manifest_tensors(f"basicsr_msrresnet_x{scale}"))
    assert (found.arch, found.tasks, found.dropped) == ("msrresnet", ("sr",), ())
    assert found.parameters == {"scale": scale, "n_blocks": 16, "n_feats": 64}
    network(found)


@torch.no_grad()
def test_computes_what_basicsr_computes(shared, network):
    tensors = load_file(shared / "reference/formats/expected_basicsr_msrresnet_tiny.safetensors")
    weights = {key.removeprefix("weights."): t for key, t in tensors.items() if key.startswith("weights.")}
    y, expected = network(recognise(weights))(tensors["input"]), tensors["output"]
    assert (y - expected).abs().max() <= 1e-5 * expected.abs().max()


def test_basicsrs_edsr_is_another_network(manifest_tensors):
    assert recognise(manifest_tensors("basicsr_edsr_M_x4")).arch == "edsr"
