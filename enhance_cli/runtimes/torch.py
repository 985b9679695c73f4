"""Torch itself: every network, on every device and in every precision."""

from __future__ import annotations

import copy
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from enhance_cli.arch.contract import ArchSpec
from enhance_cli.errors import DeviceError
from enhance_cli.process import REUSED_BYTES
from enhance_cli.runtimes.contract import Batch, OutOfMemoryError, PixelBudget, Precision
from enhance_cli.runtimes.graph import inputs_of

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
CPU_BYTES, CPU_PIXELS = 1 << 30, 1 << 20
"""Memory for the feature maps of one tile on the CPU, and its largest area whatever they take."""
GPU_BYTES, GPU_PIXELS = 4 << 30, 4 << 20
LIVE_MAPS = 3
"""Feature maps of the largest size that are alive at once: input, output and skip of a layer."""
TENSOR_CORES = (7, 0)
"""NVIDIA's first compute capability with them; before, float16 was slower than float32 on most cards."""
PROBE_SIDE = 32
"""Of the picture on which feature maps are measured."""
UNMEASURED_CHANNELS = {"cpu": 64, "gpu": 256}
"""Channels, at the output's size, that any network is assumed to have: small pictures need no measuring."""
OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "alloc_failed")
"""What CUDA and MPS, torch's CPU allocator, and cuDNN and cuBLAS say, in lower case."""


class TorchRuntime:
    """A module, layer by layer; see `Runtime`."""

    name = "torch"

    def __init__(
        self,
        module: nn.Module,
        spec: ArchSpec,
        *,
        device: str = "cpu",
        precision: Precision = "float32",
        threads: int | None = None,
        notes: tuple[str, ...] = (),
    ) -> None:
        """`threads` holds for the whole process, which is how torch has it."""
        self.device, self.precision, self.spec, self.notes = device, precision, spec, notes
        self._module = module
        self._ready: nn.Module | None = None
        self._budget: PixelBudget | None = None
        if threads is not None:
            torch.set_num_threads(threads)

    def __call__(self, x: Batch, condition: float | None) -> Batch:
        """See `Runtime`."""
        on_cuda = self.device.startswith("cuda")
        reduced = self.precision != "float32"
        # Autocast rather than a half module: weights, sums with the input and the output stay float32.
        kind = torch.device(self.device).type
        cast = torch.autocast(kind, DTYPES[self.precision]) if reduced else nullcontext()
        # Else "float32" would mean 10 bits of mantissa inside convolutions on NVIDIA.
        exact = torch.backends.cudnn.flags(enabled=True, allow_tf32=False) if on_cuda else nullcontext()
        try:
            with torch.inference_mode(), cast, exact:
                if self._ready is None:
                    # A copy: the loaded module may serve others.
                    module = copy.deepcopy(self._module).to(self.device)
                    self._ready = module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
                sent = [self._sent(one) for one in inputs_of(x, condition)]
                y = self._ready(sent[0].contiguous(memory_format=torch.channels_last), *sent[1:])
                y = (y if self.spec.output is None else y[self.spec.output]).float().contiguous()
                if on_cuda:
                    y = torch.empty(y.shape, dtype=y.dtype, pin_memory=True).copy_(y)
                return y.cpu().numpy()
        except (RuntimeError, MemoryError) as error:
            is_memory = isinstance(error, (MemoryError, torch.OutOfMemoryError))
            if not is_memory and not any(sign in str(error).lower() for sign in OUT_OF_MEMORY):
                raise
            problem = str(error)
        # Outside the handler, whose traceback holds on to the maps.
        if on_cuda:
            torch.cuda.empty_cache()
        raise OutOfMemoryError(problem)

    def budget(self, wanted: int) -> PixelBudget:
        """See `Runtime`."""
        on_cpu = self.device == "cpu"
        memory = REUSED_BYTES if on_cpu else GPU_BYTES // LIVE_MAPS
        channels = UNMEASURED_CHANNELS["cpu" if on_cpu else "gpu"]
        if wanted * self.spec.scale**2 <= memory // (4 * channels):
            return PixelBudget(wanted, wanted)
        if self._budget is None:
            largest, usual = floats_per_pixel(self._module, self.spec)
            memory, bound = (CPU_BYTES, CPU_PIXELS) if on_cpu else (GPU_BYTES, GPU_PIXELS)
            most = min(bound, int(memory / (4 * LIVE_MAPS * largest)))
            # GPUs have torch's own cache of memory, which keeps maps of any size; on CPUs the C library does.
            self._budget = PixelBudget(most, min(most, int(REUSED_BYTES / (4 * usual))) if on_cpu else most)
        return PixelBudget(min(wanted, self._budget.most), min(wanted, self._budget.fast))

    def _sent(self, x: Batch) -> Tensor:
        """On the device; by page-locked memory to CUDA, which is about twice as fast."""
        given = torch.from_numpy(x)
        if self.device.startswith("cuda"):
            return given.pin_memory().to(self.device, non_blocking=True)
        return given.to(self.device)


def floats_per_pixel(module: nn.Module, spec: ArchSpec) -> tuple[float, float]:
    """Numbers in feature maps for each input pixel: in the largest, and in one of usual size.

    The first is over all maps that go in or out of any layer; half of the weights' work is done on maps of at
    most the second.  Really computed on a small black square: a run without numbers would be free, but torch
    takes a second to prepare for one.
    """
    largest, weighed = 0, []

    def measure(layer: nn.Module, given: tuple[Any, ...], out: Any) -> None:
        nonlocal largest
        size = max((x.numel() for x in (*given, out) if isinstance(x, Tensor)), default=0)
        largest = max(largest, size)
        weights = sum(parameter.numel() for parameter in layer.parameters(recurse=False))
        if isinstance(out, Tensor) and out.ndim == 4 and weights:
            weighed.append((size, weights * out[0, 0].numel()))

    side = -(-max(PROBE_SIDE, spec.minimum) // spec.multiple) * spec.multiple
    x = torch.zeros(1, 3 if spec.colour == "rgb" else 1, side, side)
    hooks = [layer.register_forward_hook(measure) for layer in module.modules()]
    try:
        with torch.inference_mode():
            module(x, torch.zeros(1, 1, 1, 1)) if spec.condition else module(x)
    finally:
        for hook in hooks:
            hook.remove()
    usual, half, so_far = largest, sum(weight for _, weight in weighed) / 2, 0
    for size, weight in sorted(weighed):
        so_far += weight
        if so_far >= half:
            usual = size
            break
    return max(largest / side**2, 3 * spec.scale**2), usual / side**2


def find_device(asked: str) -> str:
    """The device of that name; "auto" is CUDA, else MPS, else the CPU.  DeviceError if it is not there."""
    has_mps = bool(torch.backends.mps.is_available())
    if asked == "auto":
        return "cuda" if torch.cuda.is_available() else "mps" if has_mps else "cpu"
    try:
        device = torch.device(asked)
    except RuntimeError as error:
        raise DeviceError(f"unknown device {asked!r}; use auto, cpu, cuda, cuda:N or mps") from error
    count = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(has_mps)}.get(device.type)
    if count is None:
        raise DeviceError(f"device {asked!r} is not supported; use auto, cpu, cuda, cuda:N or mps")
    if (device.index or 0) >= count:
        there = f"{count} found, counted from 0" if count else "none found by this torch"
        raise DeviceError(f"device {asked!r} is not there ({there}); use --device auto or cpu")
    return str(device)


def gpu_precisions(device: str) -> tuple[Precision, ...]:
    """Reduced precisions that a GPU multiplies by itself, the one that rounds less first."""
    if not device.startswith("cuda"):
        return ()
    with torch.cuda.device(device):
        has_bfloat16 = torch.cuda.is_bf16_supported(including_emulation=False)
        has_float16 = torch.cuda.get_device_capability() >= TENSOR_CORES
    found: list[Precision] = ["float16"] * has_float16
    return (*found, "bfloat16") if has_bfloat16 else tuple(found)


def devices() -> tuple[str, ...]:
    """GPUs that this torch can use, each with its name."""
    cuda = [f"cuda:{i} ({torch.cuda.get_device_name(i)})" for i in range(torch.cuda.device_count())]
    return (*cuda, "mps") if torch.backends.mps.is_available() else tuple(cuda)
