"""Takes the runtime that is asked for, or the fastest of those that are there and agree; else torch."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

import torch

from enhance_cli.arch.contract import ArchSpec
from enhance_cli.checkpoints.reader import LoadedNet
from enhance_cli.engine import tiles
from enhance_cli.engine.backends import compare, verdicts
from enhance_cli.engine.backends.candidates import CANDIDATES, Candidate
from enhance_cli.engine.backends.contract import Backend
from enhance_cli.engine.backends.eager import EagerBackend
from enhance_cli.engine.backends.fold import fold
from enhance_cli.engine.backends.graph import Graph, Unsupported
from enhance_cli.engine.backends.trace import trace
from enhance_cli.engine.backends.verdicts import Verdict
from enhance_cli.engine.device import Runtime
from enhance_cli.engine.settings import EngineSettings
from enhance_cli.errors import DeviceError

AGREES = 1e-4
"""Largest difference over the value range: a fortieth of a grey level at 8 bits, so that rounding can differ
by one level and never by more; Winograd's own rounding stays below a tenth of it."""
LARGE = 4096
"""Side of a picture that does not fit whole."""
CPU = torch.device("cpu")


def choose(net: LoadedNet, settings: EngineSettings, runtime: Runtime) -> tuple[Backend, Runtime]:
    """The backend for a run, and the runtime that tells which it is and why.

    DeviceError if one was asked for that cannot serve this network.
    """
    asked = settings.backend != "auto"
    fits = runtime.device.type == "cpu" and runtime.dtype == torch.float32
    there = [one for one in CANDIDATES if settings.backend in ("auto", one.name) and one.installed()]
    if not fits or not there:
        return EagerBackend(net, runtime.device), runtime
    try:
        graph = fold(trace(net.module, net.spec))
        if asked:
            return _asked(net, graph, there[0]), replace(runtime, backend=there[0].name)
    except Unsupported as error:
        if asked:
            raise DeviceError(
                f"backend {settings.backend} cannot run model {net.name}, because of {error}; "
                "use --backend torch"
            ) from error
        return EagerBackend(net, CPU), runtime
    return _fastest(net, graph, there, runtime)


def _asked(net: LoadedNet, graph: Graph, candidate: Candidate) -> Backend:
    """Not timed, but compared; DeviceError if it does not agree."""
    backend = candidate.convert(graph)
    known = verdicts.load(_key(graph, candidate))
    difference = known.difference if known else compare.difference(EagerBackend(net, CPU), backend, net.spec)
    if difference > AGREES:
        raise DeviceError(
            f"backend {candidate.name} is not exact here: {_problem(net, difference)}; use --backend torch"
        )
    return backend


def _fastest(
    net: LoadedNet, graph: Graph, candidates: Sequence[Candidate], runtime: Runtime
) -> tuple[Backend, Runtime]:
    """The one with the largest gain over torch that agrees with it, if that gain is worth it; else torch."""
    eager = EagerBackend(net, CPU)
    ours = _extra_work(eager.room(LARGE**2), net.spec)
    gains: dict[Candidate, float] = {}
    problems = []
    for one in candidates:
        try:
            verdict = _verdict(net, graph, one)
        except Unsupported:
            continue
        except Exception as error:  # whatever fails in a runtime that nobody asked for, torch serves
            problems.append(_failure(one, error))
            continue
        if verdict.difference > AGREES:
            problems.append(f"not {one.name}, because {_problem(net, verdict.difference)}")
        else:
            gains[one] = verdict.gain * ours / _extra_work(one.room(graph), net.spec)
    order = sorted(gains, key=lambda one: gains[one], reverse=True)
    speeds = ", ".join(f"{gains[one]:.2f} times as long as {one.name}" for one in order)
    why = "; ".join([f"{net.name} takes torch {speeds}"] * bool(speeds) + problems)
    for one in order:
        if gains[one] >= one.pays:
            with suppress(Exception):  # likewise
                return one.convert(graph), _noted(runtime, one.name, why)
    return eager, _noted(runtime, "torch", why) if why else runtime


def _extra_work(room: tiles.Room, spec: ArchSpec) -> float:
    """Work for each pixel of a picture that does not fit whole, which is what halos and large maps add."""
    if spec.tile is not None or spec.tiling == "whole":
        return 1.0
    large = tiles.round_up(LARGE, spec.multiple)
    how = room.for_memory() if spec.tiling == "approximate" else room, spec.halo, spec.multiple
    return tiles.work(large, large, tiles.choose(large, large, *how), *how) / large**2


def _problem(net: LoadedNet, difference: float) -> str:
    return f"its result for model {net.name} is off by {difference:.1g}"


def _failure(candidate: Candidate, error: Exception) -> str:
    return f"not {candidate.name}, which failed: {' '.join(str(error).split()) or type(error).__name__}"


def _noted(runtime: Runtime, backend: str, why: str) -> Runtime:
    return replace(runtime, backend=backend, notes=(*runtime.notes, f"backend auto: {backend} ({why})"))


def _verdict(net: LoadedNet, graph: Graph, candidate: Candidate) -> Verdict:
    """What is known of the network, else what a comparison shows.  Unsupported if there is no comparing."""
    key = _key(graph, candidate)
    known = verdicts.load(key)
    if known is None:
        known = compare.compare(EagerBackend(net, CPU), candidate.convert(graph), net.spec)
        verdicts.store(key, known)
    return known


def _key(graph: Graph, candidate: Candidate) -> str:
    return verdicts.key_of(graph, candidate.name, candidate.version())
