"""OpenVINO keeps quiet, keeps to itself, and tells when memory runs out."""

import subprocess
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from enhance_cli.arch.contract import ArchSpec
from enhance_cli.engine.backends import openvino_net
from enhance_cli.engine.backends.candidates import OPENVINO
from enhance_cli.engine.backends.graph import Graph, Layer, Unsupported
from enhance_cli.engine.backends.openvino_net import OpenvinoNet
from enhance_cli.engine.backends.trace import trace
from enhance_cli.errors import RestoreError

WIDE = "nn.Sequential(nn.Conv2d(1, 64, 3, padding=1), nn.Conv2d(64, 1, 3, padding=1)).requires_grad_(False)"


@pytest.fixture
def net(openvino):
    module = nn.Conv2d(1, 1, 3, padding=1).eval().requires_grad_(False)
    return OpenvinoNet(trace(module, ArchSpec(colour="gray", halo=1)))


def run(code: str, home) -> str:
    """What a fresh interpreter prints."""
    environment = {"HOME": str(home), "PATH": "", "PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_loading_it_writes_nothing_and_loads_nothing_that_talks(openvino, tmp_path):
    code = (
        "import sys\n"
        "from enhance_cli.engine.backends.openvino_net import load\n"
        "assert 'openvino' not in sys.modules\n"
        "load()\n"
        "print([name for name in sys.modules if 'telemetry' in name or 'openvino.tools' in name])"
    )
    assert run(code, tmp_path) == "[]\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")
def test_memory_that_runs_out_is_an_error_and_no_picture(openvino, tmp_path):
    code = f"""
import resource
import numpy as np, torch
from torch import nn
from enhance_cli.arch.contract import ArchSpec
from enhance_cli.engine.backends.openvino_net import OpenvinoNet
from enhance_cli.engine.backends.trace import trace
torch.set_num_threads(1)
net = OpenvinoNet(trace({WIDE}, ArchSpec(colour="gray", halo=2)))
small, large = (np.ones((1, n, n), np.float32) for n in (32, 1024))
before = net.run(small)
pages = int(open("/proc/self/statm").read().split()[0])
resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + (100 << 20),) * 2)
try:
    net.run(large)
except MemoryError as error:
    print(error)
print(np.array_equal(net.run(small), before))
"""
    told, same = run(code, tmp_path).splitlines()
    assert told.startswith("OpenVINO: ") and "alloc" in told
    assert same == "True"


@pytest.mark.skipif(sys.platform != "linux", reason="reads memory as Linux tells it")
def test_pictures_of_many_sizes_do_not_pile_up(openvino, tmp_path):
    code = """
import resource
import numpy as np, torch
from torch import nn
from enhance_cli.arch.contract import ArchSpec
from enhance_cli.engine.backends.openvino_net import OpenvinoNet
from enhance_cli.engine.backends.trace import trace
torch.set_num_threads(1)
layers = [nn.Conv2d(n + 16 if n else 1, n + 17, 3, padding=1) for n in range(12)]
net = OpenvinoNet(trace(nn.Sequential(*layers).requires_grad_(False), ArchSpec(colour="gray", halo=12)))
def megabytes():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize() / 1e6
for height in range(10, 24):
    if height == 18:  # it keeps some, but no more with every size
        before = megabytes()
    for width in range(10, 30):
        net.run(np.zeros((1, height, width), np.float32))
print(megabytes() - before)
"""
    assert float(run(code, tmp_path)) < 30


def test_an_error_without_words_is_told_by_its_name(openvino, monkeypatch):
    def fails(*_):
        raise RuntimeError

    monkeypatch.setattr(openvino_net, "write", fails)
    with pytest.raises(Unsupported, match="RuntimeError"):
        OpenvinoNet(Graph((), 2, channels=1))


@pytest.mark.parametrize("error", [MemoryError(), TypeError("incompatible\narguments")])
def test_whatever_it_raises_when_a_network_is_compiled_is_unsupported(openvino, monkeypatch, error):
    def fails(*_):
        raise error

    monkeypatch.setattr(openvino_net, "write", fails)
    with pytest.raises(Unsupported, match=r"refuses: (MemoryError|arguments)$"):
        OpenvinoNet(Graph((), 2, channels=1))


def test_it_may_be_loaded_in_several_threads_at_once():
    # Both have found the converter unknown, and one of them has taken it away again.
    with openvino_net._without("nothing"):
        del sys.modules["nothing"]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (RuntimeError("in cpu.cpp:1:\nstd::bad_alloc\n\n"), MemoryError),
        (RuntimeError("in cpu.cpp:1:\nno such kernel\n"), RestoreError),
        (MemoryError("\nnone left"), MemoryError),
        (Exception("OVError\nof its own"), RestoreError),
    ],
    ids=str,
)
def test_what_it_says_tells_whether_memory_ran_out(net, monkeypatch, error, expected):
    def fails():
        raise error

    request = SimpleNamespace(
        set_input_tensor=lambda *_: None, set_output_tensor=lambda *_: None, start_async=fails
    )
    monkeypatch.setattr(net, "_request", request)
    with pytest.raises(expected, match=str(error).splitlines()[1]) as caught:
        net.run(np.zeros((1, 9, 9), np.float32))
    assert "\n" not in str(caught.value)


def test_a_network_that_it_refuses_is_unsupported(openvino):
    wrong = Layer(
        "Convolution", (0,), 2, {1: 3, 11: 3, 3: 1, 13: 1}, (torch.ones(2, 5, 3, 3), torch.zeros(2))
    )
    with pytest.raises(Unsupported, match="refuses") as caught:
        OpenvinoNet(Graph((wrong,), 2, channels=1))
    assert "\n" not in str(caught.value)


def test_a_layer_without_a_counterpart_is_unsupported(openvino):
    with pytest.raises(Unsupported, match="Fourier"):
        OpenvinoNet(Graph((Layer("Fourier", (0,), 2, {}),), 2, channels=1))


def test_something_else_of_that_name_is_not_taken_for_it(monkeypatch):
    other = ModuleType("openvino")
    other.__path__ = ["here"]
    monkeypatch.setitem(sys.modules, "openvino", other)
    with pytest.raises(Unsupported, match="something else called openvino"):
        openvino_net.load()


def test_the_version_is_known_without_loading_it(openvino, monkeypatch):
    expected = OPENVINO.version()
    monkeypatch.setitem(sys.modules, "openvino", None)
    assert OPENVINO.version() == expected
