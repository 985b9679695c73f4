import pytest
import torch

from enhance_cli.arch.srresnet import SRResNet
from enhance_cli.checkpoints.recognise import recognise


def test_published_file_is_recognised(manifest_tensors, network):
    found = recognise(manifest_tensors("srresnet_twtygqyy"))
    assert (found.arch, found.tasks, found.dropped) == ("srresnet", ("sr",), ())
    assert found.parameters == {"n_blocks": 16, "n_feats": 64}
    network(found)


@torch.no_grad()
def test_computes_what_the_authors_code_computes(reference_case, network):
    case = reference_case("srresnet_twtygqyy")
    y, expected = network(recognise(case.weights))(case.tensors["input"]), case.tensors["output"]
    assert (y - expected).abs().max() <= case.tolerance * expected.abs().max()


@pytest.mark.parametrize("counted", [True, False])
def test_statistics_of_old_files_are_dropped(network, counted):
    tensors = dict(SRResNet(n_blocks=2, n_feats=4).state_dict())
    statistics = {}
    for norm in ("residual.0.in1", "residual.1.in2", "bn_mid"):
        statistics |= {f"{norm}.running_mean": torch.ones(4), f"{norm}.running_var": torch.ones(4)}
        if counted:
            statistics[f"{norm}.num_batches_tracked"] = torch.tensor(7)
    found = recognise(tensors | statistics)
    assert set(found.dropped) == set(statistics)
    assert found.parameters == {"n_blocks": 2, "n_feats": 4}
    network(found)
