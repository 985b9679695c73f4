"""Takes ncnn where it is asked for, or where it is there, agrees and is faster; torch everywhere else."""

from __future__ import annotations

from dataclasses import replace

import torch

from enhance_cli.arch.contract import ArchSpec
from enhance_cli.checkpoints.reader import LoadedNet
from enhance_cli.engine import tiles
from enhance_cli.engine.backends import compare, verdicts
from enhance_cli.engine.backends.contract import Backend
from enhance_cli.engine.backends.eager import EagerBackend
from enhance_cli.engine.backends.fold import fold
from enhance_cli.engine.backends.graph import Unsupported
from enhance_cli.engine.backends.ncnn_backend import NcnnBackend
from enhance_cli.engine.backends.ncnn_model import Model, write
from enhance_cli.engine.backends.ncnn_net import installed
from enhance_cli.engine.backends.trace import trace
from enhance_cli.engine.backends.verdicts import Verdict
from enhance_cli.engine.device import Runtime
from enhance_cli.engine.settings import EngineSettings
from enhance_cli.errors import DeviceError

AGREES = 1e-4
"""Largest difference over the value range: a fortieth of a grey level at 8 bits, so that rounding can differ
by one level and never by more; Winograd's own rounding stays below a tenth of it."""
PAYS = 1.2
"""Gain from which ncnn is taken unasked: at 1.05 the probe chose it for AIM, which then lost a sixth."""
LARGE = 4096
"""Side of a picture that does not fit whole."""
CPU = torch.device("cpu")


def choose(net: LoadedNet, settings: EngineSettings, runtime: Runtime) -> tuple[Backend, Runtime]:
    """The backend for a run, and the runtime that tells which it is and why.

    DeviceError if ncnn was asked for and cannot serve this network.
    """
    asked = settings.backend == "ncnn"
    fits = runtime.device.type == "cpu" and runtime.dtype == torch.float32 and settings.backend != "torch"
    if not fits or not installed():
        return EagerBackend(net, runtime.device), runtime
    try:
        ncnn, model = _converted(net)
    except Unsupported as error:
        if asked:
            raise DeviceError(
                f"backend ncnn cannot run model {net.name}, because of {error}; use --backend torch"
            ) from error
        return EagerBackend(net, CPU), runtime
    verdict = _verdict(net, ncnn, model, timed=not asked)
    if verdict.difference > AGREES:
        problem = f"its result for model {net.name} is off by {verdict.difference:.1g}"
        if asked:
            raise DeviceError(f"backend ncnn is not exact here: {problem}; use --backend torch")
        return EagerBackend(net, CPU), _noted(runtime, "torch", f"not ncnn, because {problem}")
    if asked:
        return ncnn, replace(runtime, backend="ncnn")
    eager = EagerBackend(net, CPU)
    gain = verdict.gain * _extra_work(eager, net.spec) / _extra_work(ncnn, net.spec)
    speed = f"{net.name} takes torch {gain:.2f} times as long as ncnn"
    if gain < PAYS:
        return eager, _noted(runtime, "torch", speed)
    return ncnn, _noted(runtime, "ncnn", speed)


def _extra_work(backend: Backend, spec: ArchSpec) -> float:
    """Area of a tile with its halo over that without, in a picture that does not fit whole."""
    if spec.tile is not None or spec.tiling == "whole":
        return 1.0
    side = tiles.choose(LARGE, LARGE, backend.room(LARGE**2), spec.halo, spec.multiple)
    return 1.0 if side == 0 else ((side + 2 * spec.halo) / side) ** 2


def _noted(runtime: Runtime, backend: str, why: str) -> Runtime:
    return replace(runtime, backend=backend, notes=(*runtime.notes, f"backend auto: {backend} ({why})"))


def _converted(net: LoadedNet) -> tuple[NcnnBackend, Model]:
    graph = fold(trace(net.module, net.spec))
    return NcnnBackend(graph), write(graph)


def _verdict(net: LoadedNet, ncnn: Backend, model: Model, *, timed: bool) -> Verdict:
    """What is known of the network, else what a comparison shows; only a timed one is worth keeping."""
    key = verdicts.key_of(model)
    known = verdicts.load(key)
    if known is not None:
        return known
    eager = EagerBackend(net, CPU)
    if not timed:
        return Verdict(compare.difference(eager, ncnn, net.spec), gain=1.0)
    verdict = compare.compare(eager, ncnn, net.spec)
    verdicts.store(key, verdict)
    return verdict
