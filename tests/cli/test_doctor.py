"""`enhance doctor`."""

from pathlib import Path

import pytest

from enhance_cli.runtimes import doctor
from enhance_cli.runtimes.doctor import Measured, Report


@pytest.fixture
def report(monkeypatch):
    found = Report(
        processor="A chip",
        threads=4,
        instructions=("avx2", "amx_bf16"),
        devices=("cpu",),
        runtimes={"torch": "2.13", "openvino": None},
        providers=(),
        measured=(
            Measured("unet", "openvino bfloat16", {"torch float32": 80.06, "openvino bfloat16": 16.0}),
        ),
        cache=Path("/somewhere/enhance"),
        cache_bytes=12_300_000,
    )
    monkeypatch.setattr(doctor, "examine", lambda: found)


def test_it_prints_a_line_for_each_thing(enhance, report):
    lines = enhance("doctor").out.decode().splitlines()
    told = dict(line.split("  ", 1) for line in lines)
    assert {key: value.strip() for key, value in told.items()} == {
        "processor": "A chip, 4 threads",
        "instructions": "avx2, amx_bf16",
        "devices": "cpu",
        "runtimes": "torch 2.13, openvino (not installed)",
        "onnx runtime on": "none",
        "cache": "/somewhere/enhance (12.3 MB)",
        "unet": "openvino bfloat16 (torch float32 80.1 ms, openvino bfloat16 16.0 ms)",
    }


def test_json_is_one_object(enhance, report):
    (event,) = enhance("doctor", "--json").events
    assert (event["event"], event["schema"], event["threads"]) == ("doctor", 1, 4)
    assert event["runtimes"] == {"torch": "2.13", "openvino": None}
    assert event["measured"][0]["chosen"] == "openvino bfloat16"
    assert event["cache"] == "/somewhere/enhance"
