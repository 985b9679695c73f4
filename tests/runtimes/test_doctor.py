"""What is told about this machine."""

from runtime_networks import source

from enhance_cli.runtimes.contract import RuntimeSettings
from enhance_cli.runtimes.doctor import examine
from enhance_cli.runtimes.select import open_runtime


def test_it_tells_what_there_is_and_what_was_measured(openvino, times, own_cache):
    times(openvino_float32=10, torch_float32=30)
    open_runtime(source(), RuntimeSettings(device="cpu"))
    report = examine()
    assert report.processor and report.threads == 1
    assert report.devices[0] == "cpu"
    assert report.runtimes["torch"] and report.runtimes["openvino"]
    assert report.cache == own_cache
    assert report.cache_bytes > 1000
    (measured,) = report.measured
    assert (measured.network, measured.chosen) == ("small", "openvino float32")
    assert measured.milliseconds["torch float32"] == 30


def test_an_empty_machine_is_a_report_too():
    report = examine()
    assert (report.measured, report.providers, report.cache_bytes) == ((), (), 0)
