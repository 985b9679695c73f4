"""A picture whose network is prepared waits neither for torch nor for other libraries it does not need."""

import os
import subprocess
import sys
from importlib.util import find_spec

import pytest

SPY = """
import sys
from enhance_cli.cli.main import app
app({arguments}, prog_name="enhance", standalone_mode=False)
loaded = {{name.partition(".")[0] for name in sys.modules}}
print(sorted(loaded & {{"torch", "safetensors", "h5py", "pydantic"}}))
"""
WITHOUT_TORCH = """
import sys
sys.modules["torch"] = None
from enhance_cli.arch.contract import ArchSpec
from enhance_cli.engine import network
from enhance_cli.runtimes.contract import PixelBudget

class Runtime:
    name, device, precision, notes = "fake", "cpu", "float32", ()
    spec = ArchSpec(colour="rgb", halo=1, condition="sigma")
    def __init__(self, source, settings): pass
    def __call__(self, x, condition): return x
    def budget(self, wanted): return PixelBudget(wanted, wanted)

network.open_runtime = Runtime
"""


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_nothing_around_the_network_needs_torch(picture, tmp_path):
    path = picture("a.png")
    code = WITHOUT_TORCH + SPY.format(arguments=["denoise", "--quiet", "--reference", str(path), str(path)])
    # torch itself is listed because the test has barred it.
    assert run(code) == "['torch']"
    assert (tmp_path / "a_denoise.png").exists()


@pytest.mark.skipif(not (find_spec("openvino") or find_spec("onnxruntime")), reason="torch is all there is")
def test_the_second_run_of_a_network_leaves_torch_alone(picture, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    path = picture("a.png")
    arguments = ["denoise", "--sigma", "20", "--quiet", "--overwrite", "--device", "cpu", str(path)]
    run(SPY.format(arguments=arguments))
    assert run(SPY.format(arguments=arguments)) == "[]"
    assert os.path.exists(tmp_path / "a_denoise.png")
