"""Where and in which precision a network runs, and how much of a picture fits there at once."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec

import torch
from torch import Tensor, nn

from enhance_cli.arch.contract import ArchSpec
from enhance_cli.engine.imaginary import blank
from enhance_cli.engine.memory import LARGEST_KEPT
from enhance_cli.engine.settings import EngineSettings
from enhance_cli.engine.tiles import Room, round_up
from enhance_cli.errors import DeviceError, UsageError

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
EXTRAS = {"ncnn": "fast", "openvino": "openvino"}
"""Backends besides torch, for the CPU alone: packages of that name, and the extra that brings each."""
CPU_BYTES, CPU_PIXELS = 1 << 30, 1 << 20
"""Memory for the feature maps of one tile on the CPU, and its largest area whatever they take."""
GPU_BYTES, GPU_PIXELS = 4 << 30, 4 << 20
LIVE_MAPS = 3
"""Feature maps of the largest size that are alive at once: input, output and skip of a layer."""
TENSOR_CORES = (7, 0)
"""NVIDIA's first compute capability with them; before, float16 was slower than float32 on most cards."""
PROBE = 32
"""Side of the picture on which feature maps are measured."""
FEW = LARGEST_KEPT // (4 * 64)
"""Output pixels that are given whole to any network: 64 channels of them are kept, 682 fit into memory."""
WIDEST = 256
"""Channels of the largest map, at the output's size, that any network is assumed to have on a GPU."""


@dataclass(frozen=True)
class Runtime:
    """What `resolve` chose."""

    device: torch.device
    dtype: torch.dtype
    """Of the convolutions; weights, input, output and sums stay float32."""
    backend: str
    notes: tuple[str, ...] = ()
    """What "auto" fell back to or took and why, one line each."""

    @property
    def precision(self) -> str:
        """The type's name: "float32", "bfloat16" or "float16"."""
        return str(self.dtype).removeprefix("torch.")


def resolve(settings: EngineSettings, spec: ArchSpec) -> Runtime:
    """Choose device and precision; DeviceError if what was asked for is not there.

    Only "auto" falls back: the device from CUDA to Apple's MPS to the CPU; the precision, on CUDA, from
    float16, which rounds an eighth as much as bfloat16, to that to float32, by what chip and network stand,
    and to float32 everywhere else.  The backend is torch for now:
    whether another can take over is a question of the network (`backends.choice`).
    """
    converted = settings.backend in EXTRAS
    device = choose_device("cpu" if converted and settings.device == "auto" else settings.device)
    if converted:
        _check_backend(settings, device)
    fell_back = settings.device == "auto" and device.type == "cpu" and not converted
    return Runtime(
        device=device,
        dtype=_dtype(settings.precision, device, spec),
        backend="torch",
        notes=("device auto: no GPU found, running on the CPU",) if fell_back else (),
    )


def prepare(settings: EngineSettings) -> None:
    """Check the numbers and set torch up for the whole process; UsageError names the flag."""
    if settings.tile is not None and settings.tile < 0:
        raise UsageError(f"--tile {settings.tile} is negative; give a side in pixels, or 0 for no tiles")
    if settings.threads is not None and settings.threads < 1:
        raise UsageError(f"--threads {settings.threads} is too few; give 1 or more")
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    # Else "float32" would mean 10 bits of mantissa inside convolutions on NVIDIA.
    torch.backends.cudnn.allow_tf32 = False


def surely_fits(pixels: int, spec: ArchSpec, device: torch.device) -> bool:
    """Whether so many input pixels need no measuring of the network."""
    few = FEW if device.type == "cpu" else GPU_BYTES // (4 * LIVE_MAPS * WIDEST)
    return pixels * spec.scale**2 <= few


def room(module: nn.Module, spec: ArchSpec, device: torch.device) -> Room:
    """How many input pixels may go through the network at once, by the size of its feature maps."""
    memory, bound = (CPU_BYTES, CPU_PIXELS) if device.type == "cpu" else (GPU_BYTES, GPU_PIXELS)
    maps = _maps(module, spec)
    most = min(bound, int(memory / (4 * LIVE_MAPS * max(maps.largest, 3 * spec.scale**2))))
    # GPUs have torch's own cache of memory, which keeps maps of any size.
    return Room(most, int(LARGEST_KEPT / (4 * maps.usual)) if device.type == "cpu" else most)


def choose_device(asked: str) -> torch.device:
    """The device of that name; "auto" is CUDA, else MPS, else the CPU.  DeviceError if it is not there."""
    if asked == "auto":
        best = "cuda" if torch.cuda.is_available() else "mps" if _has_mps() else "cpu"
        return torch.device(best)
    try:
        device = torch.device(asked)
    except RuntimeError as error:
        raise DeviceError(f"unknown device {asked!r}; use auto, cpu, cuda, cuda:N or mps") from error
    count = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(_has_mps())}.get(device.type)
    if count is None:
        raise DeviceError(f"device {asked!r} is not supported; use auto, cpu, cuda, cuda:N or mps")
    if (device.index or 0) >= count:
        there = f"{count} found, counted from 0" if count else "none found by this torch"
        raise DeviceError(f"device {asked!r} is not there ({there}); use --device auto or cpu")
    return device


def _check_backend(settings: EngineSettings, device: torch.device) -> None:
    name = settings.backend
    if find_spec(name) is None:
        raise DeviceError(f"backend {name} is not installed; pip install 'enhance-cli[{EXTRAS[name]}]'")
    if device.type != "cpu":
        raise DeviceError(f"backend {name} does not run on {device}; use --device cpu or --backend torch")
    if settings.precision not in ("auto", "float32"):
        raise DeviceError(
            f"backend {name} has no {settings.precision}; use --precision float32 or --backend torch"
        )


def _has_mps() -> bool:
    return bool(torch.backends.mps.is_available())


def _dtype(asked: str, device: torch.device, spec: ArchSpec) -> torch.dtype:
    if asked == "auto":
        return _fastest(device, spec)
    if asked not in DTYPES:
        raise DeviceError(f"unknown precision {asked!r}; use auto, {', '.join(DTYPES)}")
    if asked == "float32":
        return torch.float32
    if asked not in spec.half:
        raise DeviceError(f"this network is not known to stand {asked}; use --precision float32")
    if asked == "bfloat16" and not _has_bfloat16(device):
        raise DeviceError(f"device {device} has no bfloat16; use --precision float16 or float32")
    if asked == "float16" and device.type == "cpu":
        raise DeviceError("float16 is slower than float32 on a CPU; use --precision float32 or bfloat16")
    return DTYPES[asked]


def _fastest(device: torch.device, spec: ArchSpec) -> torch.dtype:
    if device.type != "cuda":
        return torch.float32
    if "float16" in spec.half and _has_fast_float16(device):
        return torch.float16
    return torch.bfloat16 if "bfloat16" in spec.half and _has_bfloat16(device) else torch.float32


def _has_fast_float16(device: torch.device) -> bool:
    return torch.cuda.get_device_capability(device) >= TENSOR_CORES


def _has_bfloat16(device: torch.device) -> bool:
    if device.type != "cuda":
        return True
    with torch.cuda.device(device):
        return torch.cuda.is_bf16_supported(including_emulation=False)


@dataclass(frozen=True)
class _Maps:
    """Floats per input pixel."""

    largest: float
    """Of all maps that go in or out of any layer."""
    usual: float
    """Half of the weights' work is done on maps of at most that size."""


def _maps(module: nn.Module, spec: ArchSpec) -> _Maps:
    """Measured on a small black square.

    Really computed: a run without numbers would be free, but torch takes a second to prepare for one.
    """
    largest, weighed = 0, []

    def measure(layer: nn.Module, given: tuple[object, ...], out: object) -> None:
        nonlocal largest
        size = max((x.numel() for x in (*given, out) if isinstance(x, Tensor)), default=0)
        largest = max(largest, size)
        weights = sum(parameter.numel() for parameter in layer.parameters(recurse=False))
        if isinstance(out, Tensor) and out.ndim == 4 and weights:
            weighed.append((size, weights * out[0, 0].numel()))

    side = round_up(max(PROBE, spec.minimum), spec.multiple)
    hooks = [layer.register_forward_hook(measure) for layer in module.modules()]
    try:
        with torch.inference_mode():
            module(*blank(spec, side, "cpu"))
    finally:
        for hook in hooks:
            hook.remove()
    return _Maps(largest / side**2, _middle(weighed, largest) / side**2)


def _middle(weighed: list[tuple[int, int]], default: int) -> int:
    """The median of the first numbers, each weighed by the second."""
    half, so_far = sum(weight for _, weight in weighed) / 2, 0
    for size, weight in sorted(weighed):
        so_far += weight
        if so_far >= half:
            return size
    return default
