from dataclasses import replace
from typing import get_args

import pytest
import torch
from torch import nn

from enhance_cli.arch.contract import ArchSpec
from enhance_cli.engine import device
from enhance_cli.engine.backends.candidates import CANDIDATES
from enhance_cli.engine.device import CPU_PIXELS, EXTRAS, prepare, resolve, room, surely_fits
from enhance_cli.engine.memory import LARGEST_KEPT
from enhance_cli.engine.settings import Backend, EngineSettings
from enhance_cli.errors import DeviceError, UsageError

SPEC = ArchSpec(colour="gray", halo=1)
CPU = torch.device("cpu")


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


@pytest.fixture
def two_gpus(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (8, 0))
    monkeypatch.setattr(device, "_has_bfloat16", lambda device: True)


def test_auto_falls_back_to_the_cpu_and_says_so(no_gpu):
    runtime = resolve(EngineSettings(), SPEC)
    assert (runtime.device, runtime.precision, runtime.backend) == (CPU, "float32", "torch")
    assert "CPU" in runtime.notes[0]


def test_what_was_asked_for_is_no_fallback(no_gpu):
    assert resolve(EngineSettings(device="cpu"), SPEC).notes == ()


@pytest.mark.parametrize("name", ["cuda", "cuda:0", "mps", "cuda:x", "toaster", "meta", ""])
def test_what_is_not_there_is_an_error(no_gpu, name):
    with pytest.raises(DeviceError, match=repr(name)) as caught:
        resolve(EngineSettings(device=name), SPEC)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("half", "expected"),
    [
        (("bfloat16", "float16"), "float16"),
        (("float16",), "float16"),
        (("bfloat16",), "bfloat16"),
        ((), "float32"),
    ],
)
def test_auto_takes_the_gpu_in_the_precision_that_the_network_stands(two_gpus, half, expected):
    runtime = resolve(EngineSettings(), replace(SPEC, half=half))
    assert (runtime.device.type, runtime.precision, runtime.notes) == ("cuda", expected, ())


def test_old_gpus_have_no_fast_float16(two_gpus, monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (6, 1))
    monkeypatch.setattr(device, "_has_bfloat16", lambda device: False)
    assert resolve(EngineSettings(), SPEC).precision == "float32"


def test_gpus_are_counted_from_zero(two_gpus):
    assert resolve(EngineSettings(device="cuda:1"), SPEC).device == torch.device("cuda:1")
    with pytest.raises(DeviceError, match="2 found"):
        resolve(EngineSettings(device="cuda:2"), SPEC)


def test_precisions(no_gpu):
    assert resolve(EngineSettings(precision="bfloat16"), SPEC).dtype == torch.bfloat16
    with pytest.raises(DeviceError, match="float16"):
        resolve(EngineSettings(precision="float16"), SPEC)
    with pytest.raises(DeviceError, match="bfloat16"):
        resolve(EngineSettings(precision="bfloat16"), ArchSpec(colour="y", halo=1, half=()))


@pytest.mark.parametrize("backend", EXTRAS)
def test_a_runtime_is_refused_where_it_is_not_installed(backend):
    with pytest.raises(DeviceError, match=rf"{backend} is not installed.*\[{EXTRAS[backend]}\]"):
        resolve(EngineSettings(backend=backend), SPEC)


def test_every_runtime_has_an_extra_that_brings_it():
    assert [one.name for one in CANDIDATES] == list(EXTRAS)
    assert {"torch", "auto", *EXTRAS} == set(get_args(Backend))


def test_ncnn_means_the_cpu_and_float32(two_gpus, ncnn):
    runtime = resolve(EngineSettings(backend="ncnn"), SPEC)
    assert (runtime.device, runtime.precision, runtime.notes) == (CPU, "float32", ())
    with pytest.raises(DeviceError, match=r"ncnn.*cuda"):
        resolve(EngineSettings(backend="ncnn", device="cuda"), SPEC)
    with pytest.raises(DeviceError, match=r"ncnn.*bfloat16"):
        resolve(EngineSettings(backend="ncnn", precision="bfloat16"), SPEC)


def test_threads_are_set():
    prepare(EngineSettings(threads=2))
    assert torch.get_num_threads() == 2
    prepare(EngineSettings())
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize("wrong", [{"threads": 0}, {"tile": -1}])
def test_impossible_numbers_name_their_flag(wrong):
    with pytest.raises(UsageError, match=f"--{next(iter(wrong))}"):
        prepare(EngineSettings(**wrong))


def test_wider_feature_maps_make_smaller_tiles():
    narrow, wide, wider = (room(nn.Conv2d(1, width, 3, padding=1), SPEC, CPU) for width in (1, 512, 1024))
    assert narrow.most == CPU_PIXELS
    assert wide.most == pytest.approx(2 * wider.most, abs=1)
    assert wide.kept == pytest.approx(2 * wider.kept, abs=1)


@pytest.mark.parametrize(("blocks", "floats"), [(1, 512), (9, 64)])
def test_maps_are_kept_by_where_most_of_the_work_is(blocks, floats):
    body = [nn.Conv2d(64, 64, 3, padding=1) for _ in range(blocks)]
    module = nn.Sequential(nn.Conv2d(1, 64, 1), *body, nn.Conv2d(64, 512, 3, padding=1), nn.PReLU())
    found = room(module, SPEC, CPU)
    assert found.most == (1 << 30) // (4 * 3 * 512)
    assert found.kept == LARGEST_KEPT // (4 * floats)


def test_gpus_keep_memory_of_any_size():
    module = nn.Conv2d(1, 512, 3, padding=1)
    gpu = room(module, SPEC, torch.device("cuda"))
    assert gpu.kept == gpu.most > room(module, SPEC, CPU).most


def test_maps_that_only_go_into_a_layer_count_too():
    class Joins(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.join = nn.Conv2d(512, 1, 1)

        def forward(self, x):
            return self.join(torch.cat([x] * 512, 1))

    assert room(Joins(), SPEC, CPU).most == (1 << 30) // (4 * 3 * 512)


def test_measuring_maps_leaves_the_network_as_it_was():
    module = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.PixelShuffle(2), nn.Conv2d(2, 2000, 1))
    before = module[0].weight.clone()
    assert room(module, SPEC, CPU).most == (1 << 30) // (4 * 3 * 4 * 2000)
    assert torch.equal(module[0].weight, before)
    assert not module[0]._forward_hooks


def test_what_surely_fits_is_not_cut_by_measure_either():
    pixels = room(nn.Conv2d(1, 64, 3, padding=1), SPEC, CPU).kept
    assert surely_fits(pixels, SPEC, CPU)
    assert not surely_fits(pixels + 1, SPEC, CPU)
    assert not surely_fits(pixels // 4 + 1, replace(SPEC, scale=2), CPU)
    assert room(nn.Conv2d(1, 682, 3, padding=1), SPEC, CPU).most > pixels
    gpu = torch.device("cuda")
    assert surely_fits(room(nn.Conv2d(1, 256, 3, padding=1), SPEC, gpu).most, SPEC, gpu)
