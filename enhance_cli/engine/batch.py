"""The pipeline of a batch: reader threads | the network on the calling thread | writer threads.

Few pictures are read before their turn and few wait to be written, so that memory does not grow with the
batch.  A picture that fails is an event like any other.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from enhance_cli.engine.progress import Event, FileDone, Seconds, Summary, TileDone, mean
from enhance_cli.errors import EnhanceError, ImageError

DEPTH = 2
"""Pictures read ahead; more only where more threads are asked for."""
BEHIND = 1
"""Results waiting to be written, likewise: a 12-megapixel picture enlarged x4 holds 0.6 GB."""


@dataclass(frozen=True)
class Job:
    """One picture to restore.  None for a path means standard input or output."""

    input: Path | None
    output: Path | None
    reference: Path | None = None
    """The clean picture to compare with."""
    problem: ImageError | None = None
    """What planning found wrong: the job fails with it at once."""

    @property
    def input_name(self) -> str:
        """As events call it."""
        return "-" if self.input is None else str(self.input)

    @property
    def output_name(self) -> str:
        """As events call it."""
        return "-" if self.output is None else str(self.output)


Read = TypeVar("Read")
Made = TypeVar("Made")
OnTile = Callable[[int, int], None]


class BatchWork(Protocol[Read, Made]):
    """What is done to each picture.  `read` and `write` run in threads, `restore` on the caller's.

    Each may end the job early by returning its FileDone, or by raising.  Only `seconds` is filled in
    by the pipeline.
    """

    def read(self, job: Job) -> Read | FileDone:
        """Read and check the input."""

    def restore(self, job: Job, read: Read, on_tile: OnTile) -> Made | FileDone:
        """Run the network."""

    def write(self, job: Job, made: Made) -> FileDone:
        """Encode and write the output."""


def run(
    jobs: Sequence[Job],
    work: BatchWork[Read, Made],
    on_event: Callable[[Event], None],
    *,
    threads: int = 2,
    skipped: int = 0,
) -> Summary:
    """Put every job through `work`; events come on the calling thread, in the order of the jobs.

    `threads`: readers, and as many writers.  `skipped`: what planning left out, for the summary.
    KeyboardInterrupt lets the pictures that are being written come to their end, and the summary says so.
    """
    start = time.perf_counter()
    tally = _Tally(on_event)
    interrupted = False
    with _pool(threads) as readers, _pool(threads) as writers:
        pipeline = _Pipeline(work, readers, writers, threads, tally)
        try:
            pipeline.run(jobs)
        except KeyboardInterrupt:
            interrupted = True
            pipeline.settle()
    summary = tally.summary(time.perf_counter() - start, skipped, interrupted)
    on_event(summary)
    return summary


@contextmanager
def _pool(threads: int) -> Iterator[ThreadPoolExecutor]:
    pool = ThreadPoolExecutor(threads)
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@dataclass(frozen=True)
class _Step(Generic[Made]):
    """What one stage gave, and the seconds of all stages so far."""

    result: Made | FileDone
    seconds: Seconds


class _Pipeline(Generic[Read, Made]):
    def __init__(
        self,
        work: BatchWork[Read, Made],
        readers: ThreadPoolExecutor,
        writers: ThreadPoolExecutor,
        threads: int,
        tally: _Tally,
    ) -> None:
        self._work = work
        self._readers = readers
        self._writers = writers
        self._most_ahead = max(DEPTH, threads)
        self._most_behind = max(BEHIND, threads - 1)
        self._tally = tally
        self._ahead: deque[tuple[Job, Future[_Step[Read]]]] = deque()
        self._behind: deque[Future[FileDone]] = deque()

    def run(self, jobs: Sequence[Job]) -> None:
        upcoming = iter(jobs)
        self._read_ahead(upcoming)
        while self._ahead:
            job, reading = self._ahead.popleft()
            read = reading.result()
            self._read_ahead(upcoming)
            made = self._restore(job, read)
            self._wait_for(self._most_behind - 1)
            self._behind.append(self._writers.submit(self._write, job, made))
        self.settle()

    def settle(self) -> None:
        """Wait for everything that is being written."""
        self._wait_for(0)

    def _read_ahead(self, upcoming: Iterator[Job]) -> None:
        while len(self._ahead) < self._most_ahead:
            job = next(upcoming, None)
            if job is None:
                return
            self._ahead.append((job, self._readers.submit(self._read, job)))

    def _wait_for(self, at_most: int) -> None:
        while len(self._behind) > at_most or (self._behind and self._behind[0].done()):
            done = self._behind[0].result()
            self._behind.popleft()
            self._tally.count(done)

    def _read(self, job: Job) -> _Step[Read]:
        start = time.perf_counter()
        result = _guarded(job, lambda: self._work.read(job))
        return _Step(result, Seconds(read=time.perf_counter() - start))

    def _restore(self, job: Job, read: _Step[Read]) -> _Step[Made]:
        given = read.result
        if isinstance(given, FileDone):
            return _Step(given, read.seconds)

        def on_tile(done: int, total: int) -> None:
            self._tally.on_event(TileDone(job.input_name, done, total))
            self._wait_for(self._most_behind)

        start = time.perf_counter()
        result = _guarded(job, lambda: self._work.restore(job, given, on_tile))
        return _Step(result, replace(read.seconds, restore=time.perf_counter() - start))

    def _write(self, job: Job, made: _Step[Made]) -> FileDone:
        given = made.result
        if isinstance(given, FileDone):
            return replace(given, seconds=made.seconds)
        start = time.perf_counter()
        result = _guarded(job, lambda: self._work.write(job, given))
        return replace(result, seconds=replace(made.seconds, write=time.perf_counter() - start))


Result = TypeVar("Result")


def _guarded(job: Job, stage: Callable[[], Result]) -> Result | FileDone:
    """Run one stage of one job; whatever it raises is that picture's failure, not the batch's."""
    try:
        return stage()
    except BrokenPipeError:
        raise
    except Exception as error:
        known = isinstance(error, EnhanceError)
        unexpected = f"unexpected {type(error).__name__}: {error}; --debug tells more"
        return FileDone(
            input=job.input_name,
            output=job.output_name,
            status="failed",
            error=str(error) if known else " ".join(unexpected.split()),
            cause=error,
        )


class _Tally:
    """Counts what comes to its end, and passes it on."""

    def __init__(self, on_event: Callable[[Event], None]) -> None:
        self.on_event = on_event
        self._counts = dict.fromkeys(("done", "current", "skipped", "failed"), 0)
        self._pixels = 0
        self._metrics: list[dict[str, float]] = []
        self._baselines: list[dict[str, float]] = []

    def count(self, file: FileDone) -> None:
        self._counts[file.status] += 1
        if file.status == "done" and file.output_size:
            self._pixels += file.output_size[0] * file.output_size[1]
        if file.metrics and file.baseline:
            self._metrics.append(file.metrics)
            self._baselines.append(file.baseline)
        self.on_event(file)

    def summary(self, seconds: float, skipped: int, interrupted: bool) -> Summary:
        counts = {**self._counts, "skipped": self._counts["skipped"] + skipped}
        return Summary(
            **counts,
            seconds=seconds,
            megapixels=self._pixels / 1e6,
            metrics=mean(self._metrics),
            baseline=mean(self._baselines),
            interrupted=interrupted,
        )
