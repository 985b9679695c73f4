"""Which runtime serves a network on this machine, and in which precision.

A network that has been prepared goes from the cache to its runtime without torch.  One that has not is read,
exported, checked and compared first, once for each machine.
"""

from __future__ import annotations

import functools
import time
from contextlib import suppress
from typing import TYPE_CHECKING, cast, get_args

from enhance_cli.arch.contract import ArchSpec
from enhance_cli.errors import DeviceError, RestoreError, UsageError, WriteError
from enhance_cli.runtimes import cache, machine
from enhance_cli.runtimes.cache import Prepared, Timing, Timings
from enhance_cli.runtimes.contract import (
    Backend,
    NetworkSource,
    OutOfMemoryError,
    Precision,
    Runtime,
    RuntimeSettings,
    UnavailableError,
)

if TYPE_CHECKING:
    from enhance_cli.runtimes.graph import GraphRuntime

EXPORTED: tuple[Backend, ...] = ("openvino", "onnxruntime")
"""Runtimes that take what torch has exported; each is also the name of its package."""
SLOW_SECONDS = 0.1
"""What a network takes for 32x40 pixels in torch if comparing it thoroughly would take too long."""
MARGIN = 1.15
"""How many times as fast a runtime must be to be taken unasked in place of one before it in this order:"""
ORDER: tuple[Backend, ...] = ("openvino", "onnxruntime", "torch")
"""those that start without torch first."""


def open_runtime(network: NetworkSource, settings: RuntimeSettings) -> Runtime:
    """The runtime that was asked for, or, for "auto", the fastest that agrees with torch in float32.

    A network that has been prepared before, by this function too, is opened without torch.  Where memory runs
    out or a result in reduced precision is unusable, call again with other settings, for example
    `replace(settings, device="cpu")` or `replace(settings, precision="float32")`.
    DeviceError if what was asked for is not there or cannot compute this network; UsageError for bad
    settings; and whatever `network.load` raises.
    """
    if settings.threads is not None and settings.threads < 1:
        raise UsageError(f"--threads {settings.threads} is too few; give 1 or more")
    if settings.precision not in ("auto", *get_args(Precision)):
        raise DeviceError(
            f"unknown precision {settings.precision!r}; use auto, {', '.join(get_args(Precision))}"
        )
    if settings.backend not in ("auto", *ORDER):
        raise DeviceError(f"unknown backend {settings.backend!r}; use auto, {', '.join(ORDER)}")
    if settings.backend in EXPORTED and not machine.is_installed(settings.backend):
        raise DeviceError(f"backend {settings.backend} is not installed; pip install {settings.backend}")
    opening = _Opening(network, settings, find_device(settings.device, settings.backend))
    return opening.on_cpu() if opening.device == "cpu" else opening.on_gpu()


def find_device(asked: str, backend: str) -> str:
    """Where a network is to be computed; DeviceError if that device is not there, or not for that runtime."""
    if backend == "openvino" and asked not in ("auto", "cpu"):
        raise DeviceError(f"backend openvino does not run on {asked}; use --device cpu or --backend torch")
    if backend == "openvino" or asked == "cpu":
        return "cpu"
    if backend == "onnxruntime":
        from enhance_cli.runtimes import onnxruntime

        try:
            there = onnxruntime.devices()
        except UnavailableError as error:
            raise DeviceError(f"{error}; use --backend torch") from error
        if asked == "auto":
            return there[0]
        if asked.partition(":")[0] not in there:
            raise DeviceError(f"device {asked!r} is none of onnxruntime's here; it has {', '.join(there)}")
        return asked
    if asked == "directml":
        raise DeviceError("device 'directml' is for --backend onnxruntime alone")
    if asked == "auto" and not machine.may_have_gpu():
        return "cpu"
    from enhance_cli.runtimes import torch

    return torch.find_device(asked)


class _Opening:
    """One call of `open_runtime`: what it has read and found out so far."""

    def __init__(self, network: NetworkSource, settings: RuntimeSettings, device: str) -> None:
        self.network, self.settings, self.device = network, settings, device
        looked = settings.device == "auto" and settings.backend in ("auto", "torch")
        self.notes = ["device auto: no GPU found, running on the CPU"] * (looked and device == "cpu")
        self.threads = machine.cpu_threads(settings.threads)
        self.key = cache.key_of(network)
        self.load = functools.cache(network.load)

    def on_gpu(self) -> Runtime:
        """On what is not the CPU: torch, unless ONNX Runtime was asked for."""
        if self.settings.backend == "onnxruntime":
            return self.onnxruntime_on_gpu()
        from enhance_cli.runtimes import torch
        from enhance_cli.runtimes.probe import is_faithful, probe

        _, spec = self.load()
        if self.settings.precision != "auto":
            return self.torch()
        picture = probe(spec, 96, 128)
        for precision in torch.gpu_precisions(self.device):
            if precision not in spec.half:
                continue
            reduced = self.torch(precision)
            try:
                y, reference = (one(picture.x, picture.condition) for one in (reduced, self.torch("float32")))
            except OutOfMemoryError:
                break
            if is_faithful(y, reference, spec, picture.flat):
                return reduced
        return self.torch("float32")

    def onnxruntime_on_gpu(self) -> Runtime:
        """ONNX Runtime, which is compared with torch on the CPU when the network is exported."""
        from enhance_cli.runtimes.probe import EXACT_ON_GPU, difference, probe

        known = cache.load(self.key)
        prepared = known if known is not None and known.graph is not None else self.exported()
        made = self.opened("onnxruntime", self.precision_of("onnxruntime", prepared.spec), prepared)
        if prepared is known:
            return made
        picture = probe(prepared.spec, 96, 128)
        y, reference = (one(picture.x, picture.condition) for one in (made, self.torch("float32", "cpu")))
        off = difference(y, reference, prepared.spec)
        if off > EXACT_ON_GPU:
            fault = f"is off by {off:.1g} on model {self.network.name}"
            raise DeviceError(f"backend onnxruntime {fault}; use --backend torch")
        with suppress(WriteError):
            cache.store(self.key, prepared)
        return made

    def on_cpu(self) -> Runtime:
        """What was asked for, else what was measured to be the fastest here."""
        backend = self.settings.backend
        there = [name for name in EXPORTED if backend in ("auto", name) and machine.is_installed(name)]
        may_reduce = self.settings.precision == "auto" and machine.native_precisions()
        if not there and not (may_reduce and backend in ("auto", "torch")):
            return self.torch()
        asked = backend if backend in EXPORTED else None
        prepared = cache.load(self.key)
        place = cache.place_of(self.threads)
        timings = cache.load_timings(self.key, place) if prepared else {}
        if prepared is None or (there and prepared.graph is None and prepared.problem is None) or not timings:
            if not asked and (problem := cache.is_writable()):
                self.notes.append(f"nothing can be prepared for faster runtimes: {problem}")
                return self.torch()
            prepared, timings = self.prepare(prepared, place)
        if asked:
            if prepared.graph is not None and f"{asked} float32" not in timings:
                # Either it says itself what is wrong, or its results were.
                self.opened(asked, "float32", prepared)
                fault = f"failed or does not agree with torch on model {self.network.name}"
                raise DeviceError(f"backend {asked} {fault}; use --backend torch")
            return self.opened(asked, self.precision_of(asked, prepared.spec, timings), prepared)
        return self.fastest(prepared, timings)

    def fastest(self, prepared: Prepared, timings: Timings) -> Runtime:
        """Of what was measured, in the precision asked for; torch where the others fail after all."""
        backend, precision = self.settings.backend, self.settings.precision
        allowed = {}
        for label, timing in timings.items():
            name, of = label.split()
            fits = timing.faithful if precision == "auto" else of == precision
            if fits and backend in ("auto", name) and (name == "torch" or machine.is_installed(name)):
                allowed[label] = timing.milliseconds
        while allowed:
            label = fastest(allowed)
            name, of = label.split()
            before = len(self.notes)
            if label != "torch float32":
                gain = timings["torch float32"].milliseconds / allowed[label]
                why = f"torch in float32 takes {gain:.2f} times as long for {self.network.name}"
                self.notes.append(f"auto: {name} in {of} ({why})")
            try:
                return self.opened(cast(Backend, name), cast(Precision, of), prepared)
            except DeviceError as error:
                if name == "torch":
                    raise
                self.notes[before:] = [f"not {name}: {error}"]
                del allowed[label]
        return self.torch()

    def prepare(self, prepared: Prepared | None, place: str) -> tuple[Prepared, Timings]:
        """Export the network where that has not been done, compare what may compute it, and keep both."""
        start = time.perf_counter()
        if prepared is None or prepared.graph is None:
            prepared = self.exported()
        timings = self.compared(prepared)
        try:
            cache.store(self.key, prepared)
            cache.store_timings(self.key, place, self.network.name, timings)
        except WriteError as error:
            self.notes.append(f"what was prepared could not be kept: {error}")
        if prepared.graph is None:
            self.notes.append(f"torch alone computes {self.network.name}: {prepared.problem}")
        else:
            seconds = time.perf_counter() - start
            self.notes.append(f"prepared {self.network.name} for later runs in {seconds:.1f} s")
        return prepared, timings

    def exported(self) -> Prepared:
        """The network's graph, or why there is none."""
        from enhance_cli.runtimes.export import ExportError, export
        from enhance_cli.runtimes.torch import floats_per_pixel

        module, spec = self.load()
        graph, problem, floats = None, None, 0.0
        try:
            graph = export(module, spec)
            floats, _ = floats_per_pixel(module, spec)
        except ExportError as error:
            problem = str(error)
        return Prepared(self.network.name, spec, floats, graph, problem)

    def compared(self, prepared: Prepared) -> Timings:
        """Which runtimes agree with torch on this network, in which precision, and how fast they are."""
        from enhance_cli.runtimes.measure import clock_for, milliseconds
        from enhance_cli.runtimes.probe import EXACT, difference, is_faithful, probe

        spec = prepared.spec
        clock = clock_for(self.threads)
        exact = self.torch("float32")
        start, first = clock(), probe(spec, 32, 40)
        exact(first.x, first.condition)
        is_slow = clock() - start > SLOW_SECONDS
        # Two sizes, one of them a batch: a graph that is right for one alone is not right.
        probes = [probe(spec, *((64, 72) if is_slow else (128, 160))), probe(spec, 40, 32, count=2)]
        start = clock()
        references = [exact(one.x, one.condition) for one in probes]
        taken = {"torch float32": 1000 * (clock() - start)}
        runtimes: dict[str, Runtime] = {"torch float32": exact}
        faithful = {"torch float32": True}
        for name in ("torch", *EXPORTED):
            if name != "torch" and (prepared.graph is None or not machine.is_installed(name)):
                continue
            try:
                with cache.trial(self.key, name):
                    for precision in self.worth_trying(name, spec):
                        one = self.opened(name, precision, prepared)
                        start = clock()
                        results = [one(probe.x, probe.condition) for probe in probes]
                        seconds = clock() - start
                        pairs = list(zip(results, references, strict=True))
                        off = max(difference(y, reference, spec) for y, reference in pairs)
                        if precision == "float32" and off > EXACT:
                            text = f"its result for model {self.network.name} is off by {off:.1g}"
                            raise UnavailableError(text)
                        label = f"{name} {precision}"
                        runtimes[label], taken[label] = one, 1000 * seconds
                        faithful[label] = precision == "float32" or is_faithful(
                            results[0], references[0], spec, probes[0].flat
                        )
            except (UnavailableError, DeviceError, RestoreError, OutOfMemoryError) as error:
                self.notes.append(f"not {name}: {error}")
        # A network that takes seconds for so little is not run over and over; noise is small beside it.
        times = taken if is_slow else milliseconds(runtimes, spec, self.threads)
        return {label: Timing(times[label], faithful[label]) for label in runtimes}

    def worth_trying(self, name: Backend, spec: ArchSpec) -> list[Precision]:
        """Precisions of that runtime which are compared: float32, and those that this processor has."""
        if name == "onnxruntime":
            return ["float32"]
        if name == "torch":
            return [one for one in spec.half if one in machine.native_precisions() and one != "float16"]
        from enhance_cli.runtimes import openvino

        there = openvino.precisions()
        reduced = [one for one in spec.half if one in there and one in machine.native_precisions()]
        return ["float32", *reduced]

    def precision_of(self, name: Backend, spec: ArchSpec, timings: Timings | None = None) -> Precision:
        """The precision for a runtime that was asked for; DeviceError if it has not the one asked for."""
        asked = self.settings.precision
        if asked == "auto":
            own = {
                label: timing.milliseconds
                for label, timing in (timings or {}).items()
                if timing.faithful and label.split()[0] == name
            }
            return cast(Precision, fastest(own).split()[1]) if own else "float32"
        if asked != "float32" and asked not in spec.half:
            raise DeviceError(f"this network is not known to stand {asked}; use --precision float32")
        if asked != "float32" and name == "onnxruntime":
            raise DeviceError(f"backend {name} has no {asked}; use --precision float32 or --backend torch")
        if asked == "float16" and name == "torch" and self.device == "cpu":
            raise DeviceError("float16 is slower than float32 on a CPU; use --precision float32 or bfloat16")
        if asked == "bfloat16" and name == "torch" and self.device.startswith("cuda"):
            from enhance_cli.runtimes import torch

            if asked not in torch.gpu_precisions(self.device):
                raise DeviceError(f"device {self.device} has no bfloat16; use --precision float16 or float32")
        return asked

    def torch(self, precision: Precision | None = None, device: str | None = None) -> Runtime:
        """Torch, in that precision or the one asked for, on that device or the one asked for."""
        from enhance_cli.runtimes.torch import TorchRuntime

        module, spec = self.load()
        threads = self.threads if self.settings.threads is not None else None
        return TorchRuntime(
            module,
            spec,
            device=device or self.device,
            precision=precision or self.precision_of("torch", spec),
            threads=threads,
            notes=tuple(self.notes),
        )

    def opened(self, name: Backend, precision: Precision, prepared: Prepared) -> Runtime:
        """A runtime with the network in it; DeviceError if it cannot have it."""
        if name == "torch":
            return self.torch(precision)
        if prepared.graph is None:
            problem = f"model {self.network.name}: {prepared.problem}"
            raise DeviceError(f"backend {name} cannot run {problem}; use --backend torch")
        kind: type[GraphRuntime]
        if name == "openvino":
            from enhance_cli.runtimes.openvino import OpenvinoRuntime as kind
        else:
            from enhance_cli.runtimes.onnxruntime import OnnxRuntime as kind
        try:
            return kind(
                prepared.graph,
                prepared.spec,
                prepared.floats_per_pixel,
                device=self.device,
                precision=precision,
                threads=self.threads,
                notes=tuple(self.notes),
            )
        except UnavailableError as error:
            raise DeviceError(f"{error}; use --backend torch") from error


def fastest(milliseconds: dict[str, float]) -> str:
    """The "runtime precision" that takes the least, or one before it in ORDER that takes hardly more."""
    least = min(milliseconds.values())
    near = [label for label, taken in milliseconds.items() if taken <= MARGIN * least]
    return min(near, key=lambda label: (ORDER.index(cast(Backend, label.split()[0])), milliseconds[label]))
