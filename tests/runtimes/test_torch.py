"""Torch as a runtime: devices, precision, memory."""

import numpy as np
import pytest
import torch
from torch import nn

from enhance_cli.arch.contract import ArchSpec
from enhance_cli.errors import DeviceError
from enhance_cli.runtimes import torch as runtime_of_torch
from enhance_cli.runtimes.contract import OutOfMemoryError, PixelBudget
from enhance_cli.runtimes.torch import TorchRuntime, find_device, floats_per_pixel

GRAY = ArchSpec(colour="gray", halo=1)
X = np.random.default_rng(0).random((2, 1, 20, 30), np.float32)


class Module(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *inputs):
        return self.function(*inputs)


def test_batches_and_conditions_arrive_and_the_right_output_is_taken():
    spec = ArchSpec(colour="gray", halo=1, condition="sigma", output=1)
    runtime = TorchRuntime(Module(lambda x, c: (x, x + c)), spec)
    np.testing.assert_allclose(runtime(X, 0.5), X + 0.5)


def test_the_loaded_module_stays_as_it_was():
    module = nn.Conv2d(1, 4, 3, padding=1).requires_grad_(False)
    TorchRuntime(module, GRAY)(X, None)
    assert module.weight.is_contiguous()


def test_reduced_precision_rounds_convolutions_and_gives_float32():
    module = nn.Conv2d(1, 4, 3, padding=1).requires_grad_(False)
    exact, reduced = (TorchRuntime(module, GRAY, precision=one)(X, None) for one in ("float32", "bfloat16"))
    assert reduced.dtype == np.float32
    assert 0 < np.abs(exact - reduced).max() < 0.05


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory")])
def test_memory_that_runs_out_has_one_name(error):
    def fail(x):
        raise error

    with pytest.raises(OutOfMemoryError):
        TorchRuntime(Module(fail), GRAY)(X, None)


def test_other_faults_are_not_taken_for_it():
    def fail(x):
        raise RuntimeError("size mismatch")

    with pytest.raises(RuntimeError, match="size mismatch"):
        TorchRuntime(Module(fail), GRAY)(X, None)


def test_threads_are_set():
    before = torch.get_num_threads()
    try:
        TorchRuntime(nn.Identity(), GRAY, threads=before + 1)
        assert torch.get_num_threads() == before + 1
    finally:
        torch.set_num_threads(before)


def test_maps_are_measured_where_memory_could_become_a_question():
    wide = nn.Sequential(nn.Conv2d(1, 512, 1), nn.Conv2d(512, 1, 1)).requires_grad_(False)
    assert floats_per_pixel(wide, GRAY) == (512, 512)
    runtime = TorchRuntime(wide, GRAY)
    assert runtime.budget(1000) == PixelBudget(1000, 1000)
    large = runtime.budget(10**9)
    assert large.most == (1 << 30) // (4 * 3 * 512)
    assert large.fast == pytest.approx((32 << 20) / (4 * 512), rel=0.01)


def test_enlarged_results_count_as_maps():
    assert floats_per_pixel(nn.Identity(), ArchSpec(colour="gray", halo=1, scale=8))[0] == 3 * 64


def test_a_device_is_found_or_refused_in_one_line(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert (find_device("auto"), find_device("cuda:1"), find_device("cpu")) == ("cuda", "cuda:1", "cpu")
    for wrong in ("cuda:2", "toaster", "meta"):
        with pytest.raises(DeviceError) as caught:
            find_device(wrong)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("capability", "has_bfloat16", "found"),
    [((6, 1), False, ()), ((7, 5), False, ("float16",)), ((9, 0), True, ("float16", "bfloat16"))],
)
def test_gpus_have_the_precisions_that_they_multiply(monkeypatch, capability, has_bfloat16, found):
    monkeypatch.setattr(torch.cuda, "device", lambda device: torch.inference_mode())
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: has_bfloat16)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)
    assert runtime_of_torch.gpu_precisions("cuda") == found
    assert runtime_of_torch.gpu_precisions("mps") == ()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_cuda_gives_what_the_cpu_gives(precision):
    module = nn.Conv2d(1, 4, 3, padding=1).requires_grad_(False)
    y = TorchRuntime(module, GRAY, device="cuda", precision=precision)(X, None)
    np.testing.assert_allclose(
        y, TorchRuntime(module, GRAY)(X, None), atol=1e-5 if precision == "float32" else 5e-3
    )
