"""Which runtime is taken, from what cache, and what is said where something is amiss."""

import importlib
import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from runtime_networks import source

from enhance_cli.errors import DeviceError, UsageError, WriteError
from enhance_cli.runtimes import cache, export, machine, openvino, select
from enhance_cli.runtimes.contract import RuntimeSettings
from enhance_cli.runtimes.openvino import OpenvinoRuntime
from enhance_cli.runtimes.probe import probe
from enhance_cli.runtimes.select import open_runtime

openvino_module = openvino
AUTO = RuntimeSettings(device="cpu")
FAST = {"openvino_float32": 10, "torch_float32": 30}
ATTENTION = ("rnan", {"n_groups": 2, "n_feats": 4})


def opened(network, **settings):
    runtime = open_runtime(network, replace(AUTO, **settings))
    return runtime.name, runtime.precision, runtime.notes


@pytest.fixture
def bfloat16(monkeypatch):
    """A processor that multiplies it, whatever this one does; OpenVINO computes in it alike."""
    monkeypatch.setattr(machine, "native_precisions", lambda: ("bfloat16",))
    monkeypatch.setattr(openvino_module, "precisions", lambda: ("float32", "bfloat16"))
    if "bfloat16" not in openvino.precisions():
        pytest.skip("this OpenVINO has no bfloat16")


def test_without_other_runtimes_torch_serves_without_a_word():
    assert opened(source()) == ("torch", "float32", ())


def test_auto_prepares_once_and_then_needs_no_weights(openvino, times):
    found = times(**FAST)
    first, second = source(), source()
    name, precision, notes = opened(first)
    assert (name, precision) == ("openvino", "float32")
    assert notes[0].startswith("prepared small for later runs in ")
    assert notes[1] == "auto: openvino in float32 (torch in float32 takes 3.00 times as long for small)"
    assert opened(second) == ("openvino", "float32", notes[1:])
    assert (len(first.reads), len(second.reads), len(found)) == (1, 0, 1)


def test_a_prepared_network_is_opened_without_torch(openvino, times):
    times(**FAST)
    opened(source())
    code = (
        "import sys\n"
        "from enhance_cli.runtimes.contract import NetworkSource, RuntimeSettings\n"
        "from enhance_cli.runtimes.select import open_runtime\n"
        "network = NetworkSource(name='small', sha256='0' * 64, load=lambda: 1 / 0)\n"
        "runtime = open_runtime(network, RuntimeSettings(device='cpu'))\n"
        "assert 'torch' not in sys.modules and runtime.name == 'openvino', runtime.name\n"
    )
    # Whatever this process has been told to be unable to import, the other must decide alike.
    subprocess.run([sys.executable, "-c", code], check=True, env=dict(os.environ), cwd=Path.cwd())


def test_the_results_are_torchs(openvino, times):
    times(**FAST)
    network = source()
    picture = probe(network.load()[1], 50, 70)
    y, z = (
        open_runtime(network, replace(AUTO, backend=name))(picture.x, picture.condition)
        for name in ("torch", "openvino")
    )
    np.testing.assert_allclose(y, z, atol=2e-5)


def test_torch_is_kept_where_it_is_clearly_faster_alone(openvino, times):
    times(openvino_float32=10, torch_float32=9)
    assert opened(source(sha256="1"))[0] == "openvino"
    times(openvino_float32=12, torch_float32=9)
    assert opened(source(sha256="2"))[0] == "torch"


def test_the_fastest_of_several_is_taken(openvino, onnxruntime, times):
    times(openvino_float32=20, onnxruntime_float32=10, torch_float32=30)
    assert opened(source())[0] == "onnxruntime"


def test_what_is_found_of_one_place_does_not_hold_for_another(openvino, times, monkeypatch):
    found = times(**FAST)
    opened(source())
    opened(source(), threads=2)
    monkeypatch.setattr(machine, "processor", lambda: "another")
    opened(source())
    assert len(found) == 3


def test_bfloat16_is_taken_where_it_is_faster_and_float32_stays_exact(openvino, times, bfloat16):
    times(openvino_bfloat16=5, openvino_float32=10, torch_float32=30)
    assert opened(source())[:2] == ("openvino", "bfloat16")
    assert opened(source(), precision="float32")[:2] == ("openvino", "float32")
    assert opened(source(), precision="bfloat16", backend="torch")[:2] == ("torch", "bfloat16")


def test_bfloat16_that_can_be_seen_is_not_taken_unasked(openvino, times, bfloat16, monkeypatch):
    times(openvino_bfloat16=5, torch_bfloat16=4, openvino_float32=10, torch_float32=30)
    monkeypatch.setattr("enhance_cli.runtimes.probe.is_faithful", lambda *_: False)
    assert opened(source())[:2] == ("openvino", "float32")
    assert opened(source(), precision="bfloat16", backend="openvino")[:2] == ("openvino", "bfloat16")


def test_torch_alone_takes_bfloat16_where_the_processor_has_it(times, monkeypatch):
    times(torch_bfloat16=10, torch_float32=30)
    monkeypatch.setattr(machine, "native_precisions", lambda: ("bfloat16",))
    network = source()
    assert opened(network)[:2] == ("torch", "bfloat16")
    assert opened(network, precision="float32")[:2] == ("torch", "float32")


def test_what_cannot_be_exported_stays_with_torch_and_is_not_tried_again(openvino, times, monkeypatch):
    times()
    _, _, notes = opened(source(*ATTENTION))
    assert notes == ("torch alone computes small: what it computes depends on the size of the picture",)
    monkeypatch.setattr(export, "export", lambda *_: pytest.fail("tried again"))
    assert opened(source(*ATTENTION))[:2] == ("torch", "float32")
    with pytest.raises(DeviceError, match=r"openvino cannot run model small: .*--backend torch") as caught:
        opened(source(*ATTENTION), backend="openvino")
    assert "\n" not in str(caught.value)


def test_a_runtime_that_disagrees_is_left_out_and_said_so(openvino, times, monkeypatch):
    times(**FAST)
    run = OpenvinoRuntime.__call__
    monkeypatch.setattr(OpenvinoRuntime, "__call__", lambda self, x, c: run(self, x, c) + 0.01)
    name, _, notes = opened(source())
    assert name == "torch"
    assert "not openvino: its result for model small is off by 0.01" in notes[0]
    with pytest.raises(DeviceError, match=r"does not agree with torch on model small.*--backend torch"):
        opened(source(), backend="openvino")


@pytest.mark.parametrize("name", ["openvino", "onnxruntime"])
@pytest.mark.parametrize("text", ["import numpy", "1 / 0", "not python"])
def test_a_program_of_a_runtimes_name_is_not_taken_for_it(monkeypatch, tmp_path, times, name, text):
    times()
    (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    importlib.invalidate_caches()
    assert opened(source())[0] == "torch"
    with pytest.raises(DeviceError, match=f"something else is called {name}|cannot be loaded") as caught:
        opened(source(), backend=name)
    assert "\n" not in str(caught.value)


def test_a_runtime_that_crashed_is_not_tried_again(openvino, times, own_cache):
    times(**FAST)
    network = source()
    version = machine.version_of("openvino")
    marker = own_cache / f"{cache.key_of(network)}-openvino-{version}.trial"
    own_cache.mkdir(parents=True)
    marker.touch()
    name, _, notes = opened(network)
    assert (name, notes[0]) == ("torch", "not openvino: another run is trying it just now, or has crashed")
    long_ago = time.time() - 3600
    os.utime(marker, (long_ago, long_ago))
    for path in own_cache.glob("*.json"):
        path.unlink()
    assert opened(network)[2][0].startswith("not openvino: it crashed the last time; remove ")
    for path in own_cache.iterdir():
        path.unlink()
    assert opened(network)[0] == "openvino"
    assert not list(own_cache.glob("*.trial"))


@pytest.mark.parametrize("spoil", ["cut", "foreign", "empty", "gone", "nested"])
@pytest.mark.parametrize("suffix", [".onnx", ".json"])
def test_a_spoilt_cache_is_made_anew(openvino, times, own_cache, suffix, spoil):
    times(**FAST)
    first = opened(source())
    for path in own_cache.glob(f"*{suffix}"):
        whole = path.read_bytes()
        if spoil == "gone":
            path.unlink()
        else:
            rubbish = {"cut": whole[: len(whole) // 2], "foreign": b'{"a": 1}', "empty": b""}
            path.write_bytes(rubbish.get(spoil, b"[" * 100_000))
    network = source()
    assert opened(network)[:2] == first[:2]
    assert network.reads
    again = source()
    assert opened(again)[:2] == first[:2]
    assert not again.reads


@pytest.mark.parametrize("wrong", [{"spec": {"colour": "rgb"}}, {"spec": 3}, {"floats_per_pixel": "many"}])
def test_an_entry_with_other_fields_is_made_anew(openvino, times, own_cache, wrong):
    times(**FAST)
    network = source()
    opened(network)
    path = own_cache / f"{cache.key_of(network)}.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **wrong}))
    assert cache.load(cache.key_of(network)) is None
    assert opened(network)[0] == "openvino"


def test_a_cache_that_cannot_be_written_leaves_torch_with_one_note(openvino, times, own_cache):
    times(**FAST)
    own_cache.parent.write_text("in the way")
    name, _, (note,) = opened(source())
    assert name == "torch"
    assert note.startswith("nothing can be prepared for faster runtimes: ")
    name, _, notes = opened(source(), backend="openvino")
    assert name == "openvino"
    assert any(note.startswith("what was prepared could not be kept: ") for note in notes)


def test_a_disk_that_is_full_serves_this_run(openvino, times, monkeypatch):
    times(**FAST)

    def full(path, data):
        if data:
            raise WriteError(f"cannot write {path}: No space left on device")

    monkeypatch.setattr(cache, "write_atomic", full)
    name, _, notes = opened(source())
    assert name == "openvino"
    assert "No space left" in notes[0]


def test_users_without_a_home_folder_are_served_by_torch(openvino, monkeypatch, times):
    times(**FAST)

    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(cache.Path, "home", homeless)
    assert opened(source())[0] == "torch"
    assert opened(source(), backend="openvino")[0] == "openvino"


@pytest.mark.parametrize(
    ("settings", "error", "text"),
    [
        ({"backend": "openvino"}, DeviceError, "backend openvino is not installed; pip install openvino"),
        ({"backend": "steam"}, DeviceError, "unknown backend 'steam'"),
        ({"precision": "int3"}, DeviceError, "unknown precision 'int3'"),
        ({"precision": "float16"}, DeviceError, "float16 is slower than float32 on a CPU"),
        ({"threads": 0}, UsageError, "--threads 0"),
        ({"device": "toaster"}, DeviceError, "unknown device 'toaster'"),
        ({"device": "directml"}, DeviceError, "onnxruntime alone"),
        ({"device": "cuda:77"}, DeviceError, "'cuda:77' is not there"),
    ],
)
def test_what_is_not_there_is_one_line(settings, error, text):
    with pytest.raises(error, match=text) as caught:
        opened(source(), **settings)
    assert "\n" not in str(caught.value)


def test_openvino_stays_on_the_cpu(openvino):
    with pytest.raises(DeviceError, match="does not run on cuda"):
        opened(source(), backend="openvino", device="cuda")


@pytest.mark.parametrize("backend", ["torch", "openvino"])
def test_a_reduced_precision_that_would_spoil_the_network_is_refused(openvino, times, backend):
    times()
    network = source("edsr", {"scale": 2, "n_feats": 4, "n_blocks": 1})
    with pytest.raises(DeviceError, match="not known to stand bfloat16"):
        opened(network, backend=backend, precision="bfloat16")


def test_a_machine_without_gpu_says_where_it_runs(monkeypatch):
    monkeypatch.setattr(machine, "may_have_gpu", lambda: False)
    assert opened(source(), device="auto")[2] == ("device auto: no GPU found, running on the CPU",)


def test_the_choice_prefers_what_starts_without_torch():
    assert select.fastest({"torch float32": 10, "openvino float32": 11}) == "openvino float32"
    assert select.fastest({"torch bfloat16": 5, "openvino float32": 11}) == "torch bfloat16"


def test_a_slow_network_is_run_no_oftener_than_checking_it_needs(openvino, times, monkeypatch):
    found = times(**FAST)
    monkeypatch.setattr(select, "SLOW_SECONDS", -1)
    network = source()
    opened(network)
    assert not found
    timings = cache.load_timings(cache.key_of(network), cache.place_of(1))
    assert timings.keys() == {"torch float32", "openvino float32"}
