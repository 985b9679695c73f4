"""The JSON form of events."""

import json
import math

from enhance_cli.batch.progress import FileDone, Seconds, Start, Summary, Waited, WeightsUsed, mean


def test_start_names_its_weights():
    event = Start(
        task="sr",
        settings={"size": None},
        device="cpu",
        backend="torch",
        precision="float32",
        weights=(WeightsUsed("a", "0" * 64, None),),
        inputs=3,
    )
    assert json.loads(event.to_json()) == {
        "event": "start",
        "schema": 1,
        "task": "sr",
        "settings": {"size": None},
        "device": "cpu",
        "backend": "torch",
        "precision": "float32",
        "weights": [{"name": "a", "sha256": "0" * 64, "licence": None, "recognised": None}],
        "inputs": 3,
        "notes": [],
        "ensemble": False,
    }


def test_a_file_leaves_out_what_is_not_known():
    event = FileDone(input="a", output="b", status="failed", error="why", cause=ValueError("why"))
    assert json.loads(event.to_json()) == {
        "event": "file",
        "schema": 1,
        "input": "a",
        "output": "b",
        "status": "failed",
        "seconds": {"read": 0.0, "restore": 0.0, "write": 0.0},
        "error": "why",
    }


def test_lines_are_ascii_and_valid_json_whatever_they_hold():
    event = FileDone(
        input="Größe\n\udce9.png",
        output="-",
        status="done",
        seconds=Seconds(read=0.123456),
        metrics={"psnr": math.inf, "ssim": 1.0},
        baseline={"psnr": 30.123456789, "ssim": 0.5},
        warnings=("one", "two"),
    )
    line = event.to_json()
    assert line.isascii() and "\n" not in line and "Infinity" not in line
    fields = json.loads(line)
    assert fields["input"] == event.input
    assert fields["metrics"] == {"psnr": None, "ssim": 1.0}
    assert fields["baseline"]["psnr"] == 30.123457
    assert fields["warning"] == "one; two"
    assert fields["seconds"]["read"] == 0.1235


def test_summary():
    event = Summary(
        done=1,
        current=2,
        skipped=3,
        failed=4,
        seconds=1.5,
        stages=Seconds(read=1, restore=2, write=3),
        waited=Waited(read=0.123456),
        megapixels=0.25,
        interrupted=True,
    )
    fields = json.loads(event.to_json())
    assert [fields[key] for key in ("done", "current", "skipped", "failed")] == [1, 2, 3, 4]
    assert fields["interrupted"] is True
    assert fields["stages"] == {"read": 1, "restore": 2, "write": 3}
    assert fields["waited"] == {"read": 0.1235, "write": 0.0}
    assert "metrics" not in fields


def test_mean():
    assert mean([]) is None
    assert mean([{"psnr": 30.0, "ssim": 0.5}, {"psnr": 31.0, "ssim": 1.0}]) == {"psnr": 30.5, "ssim": 0.75}
    assert mean([{"psnr": math.inf}, {"psnr": 31.0}]) == {"psnr": math.inf}
