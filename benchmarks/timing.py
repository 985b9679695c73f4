"""Timing on a device, in sections that break one by one."""

import time
from contextlib import contextmanager
from statistics import median

import torch

SIDE, QUICK_SIDE = 548, 48
"""Of the picture that goes in: 0.3 megapixel."""


class Bench:
    """The device, how to time on it, and what was found."""

    def __init__(self, device: str, *, quick: bool) -> None:
        self.device = torch.device(device)
        self.cuda = self.device.type == "cuda"
        self.quick = quick
        self.side = QUICK_SIDE if quick else SIDE
        self.verdicts: list[tuple[bool, str]] = []

    def wait(self) -> None:
        if self.cuda:
            torch.cuda.synchronize()

    def seconds(self, run, least: float = 1.0) -> float:
        """The median of at least five runs, after two to warm up."""
        times: list[float] = []
        for _ in range(2):
            run()
        self.wait()
        while len(times) < (2 if self.quick else 5) or (sum(times) < least and not self.quick):
            start = time.perf_counter()
            run()
            self.wait()
            times.append(time.perf_counter() - start)
        return median(times)

    def peak(self, run) -> float:
        """Megabytes of the device's memory that one run takes; nan on the CPU."""
        if not self.cuda:
            return float("nan")
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        run()
        self.wait()
        return torch.cuda.max_memory_allocated() / 1e6

    def require(self, met: bool, what: str) -> None:
        self.verdicts.append((met, what))


@contextmanager
def section(title: str):
    """A part of the run; one that breaks is said and does not stop the others."""
    print(f"\n## {title}", flush=True)
    start = time.perf_counter()
    try:
        yield
    except Exception as error:
        print(f"  broke: {type(error).__name__}: {' '.join(str(error).split())[:300]}")
    print(f"  ({time.perf_counter() - start:.0f} s)", flush=True)


@contextmanager
def convolutions(*, tf32: bool = False, search: bool = False):
    """cuDNN's switches; `tf32` is on in torch by default, but not in the engine."""
    flags = torch.backends.cudnn
    before = flags.allow_tf32, flags.benchmark
    flags.allow_tf32, flags.benchmark = tf32, search
    try:
        yield
    finally:
        flags.allow_tf32, flags.benchmark = before


def graphed(run):
    """`run`, recorded once and replayed."""
    graph, stream = torch.cuda.CUDAGraph(), torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            run()
    torch.cuda.current_stream().wait_stream(stream)
    with torch.cuda.graph(graph):
        run()
    return graph.replay
