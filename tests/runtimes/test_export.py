"""Every network, exported, gives what torch gives at every size; those that cannot be exported are known."""

import numpy as np
import pytest
import torch
from runtime_networks import build
from small_networks import CONFIGURATIONS, SMALL

from enhance_cli.runtimes import export as exporter
from enhance_cli.runtimes.export import ExportError, export
from enhance_cli.runtimes.onnxruntime import OnnxRuntime
from enhance_cli.runtimes.openvino import OpenvinoRuntime
from enhance_cli.runtimes.probe import difference, probe
from enhance_cli.runtimes.torch import TorchRuntime

NOT_EXPORTED = {"csnln", "rnan", "san", "smfanet", "srresnet"}
"""Attention in parts, whose number depends on the size, and an instance norm that asks for it."""


@pytest.mark.parametrize(("name", "parameters"), CONFIGURATIONS)
def test_an_exported_network_agrees_with_torch_at_every_size(openvino, onnxruntime, name, parameters):
    module, spec = build(name, parameters)
    if name in NOT_EXPORTED:
        with pytest.raises(ExportError) as caught:
            export(module, spec)
        assert "\n" not in str(caught.value)
        return
    graph = export(module, spec)
    exact = TorchRuntime(module, spec)
    for runtime in (OpenvinoRuntime(graph, spec, 64), OnnxRuntime(graph, spec, 64)):
        for height, width, count in ((1, 1, 1), (37, 51, 3), (70, 40, 1)):
            picture = probe(spec, height, width, count)
            y = runtime(picture.x, picture.condition)
            assert difference(y, exact(picture.x, picture.condition), spec) < 2e-5


def test_what_is_not_exported_is_a_network():
    assert SMALL.keys() > NOT_EXPORTED


def test_the_exporter_says_nothing_and_leaves_warnings_and_logging_as_they_were(capfd):
    before = exporter.logging.root.manager.disable
    export(*build("compact", SMALL["compact"][0]))
    assert capfd.readouterr() == ("", "")
    assert exporter.logging.root.manager.disable == before


def test_an_exporter_that_torch_has_given_up_is_one_line(monkeypatch):
    def gone(*arguments, **options):
        raise TypeError("export() got an unexpected keyword argument 'dynamo'")

    monkeypatch.setattr(torch.onnx, "export", gone)
    with pytest.raises(ExportError, match=r"cannot export it: .*dynamo"):
        export(*build("compact", SMALL["compact"][0]))


def test_results_are_the_callers(openvino, onnxruntime):
    module, spec = build("compact", SMALL["compact"][1])
    graph = export(module, spec)
    for runtime in (
        OpenvinoRuntime(graph, spec, 64),
        OnnxRuntime(graph, spec, 64),
        TorchRuntime(module, spec),
    ):
        x = probe(spec, 20, 30).x
        first = runtime(x, None)
        kept = first.copy()
        runtime(x * 0, None)
        np.testing.assert_array_equal(first, kept)
