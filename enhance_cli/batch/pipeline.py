"""The pipeline of a batch: reader threads | the network on the calling thread | writer threads.

Few pictures are read before their turn and few wait to be written, so that memory does not grow with the
batch; of a large one the writer takes what is finished while the network does the rest.  A picture that
fails is an event like any other.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import replace
from functools import partial
from threading import Event as Signal
from typing import TypeVar

from enhance_cli.batch.bands import BandQueue
from enhance_cli.batch.plan import Job
from enhance_cli.batch.progress import Event, FileDone, Seconds, Summary, TileDone, Waited, mean
from enhance_cli.batch.restoration import Restoration
from enhance_cli.batch.steps import Input, Steps
from enhance_cli.errors import EnhanceError, ReadError, RestoreError, WriteError
from enhance_cli.metrics.measure import Metrics

READ_AHEAD = 2
"""Pictures that are read before their turn; more only where more threads are asked for."""
WRITE_BEHIND = 1
"""Results that may be in the writers' hands while the network does the next, likewise."""

RETRY_SECONDS = 1.0
"""Pause before pictures that failed are tried again."""
RETRIED = (ReadError, WriteError, RestoreError)
"""Failures that another time may be none; all else would fail again."""
LOOK_SECONDS = 0.1
"""How often a wait for a reader looks whether the run is to stop."""

Result = TypeVar("Result")


def run(
    jobs: Sequence[Job],
    steps: Steps,
    on_event: Callable[[Event], None],
    *,
    threads: int = 2,
    skipped: int = 0,
    stop: Signal | None = None,
    retries: int = 0,
    fail_fast: bool = False,
    one_by_one: bool = False,
) -> Summary:
    """Put every job through the steps; events come on the calling thread, in the order of the jobs.

    `threads`: readers, and as many writers.  `skipped`: what planning left out, for the summary.
    `stop`: when it is set, from whichever thread, the picture in hand is finished and no other begun, and the
    summary says so; KeyboardInterrupt drops that picture, too.  `retries`: how often pictures that failed are
    tried again when all others are through; their events come then.  `fail_fast`: begin none after a failure.
    `one_by_one`: read one picture ahead and no more, and write one before the next is restored.
    """
    start = time.perf_counter()
    stop = stop or Signal()
    readers, writers = ThreadPoolExecutor(threads), ThreadPoolExecutor(threads)
    try:
        ahead = (1, 0) if one_by_one else (max(READ_AHEAD, threads), max(WRITE_BEHIND, threads - 1))
        pipeline = _Pipeline(jobs, steps, (readers, writers), ahead, on_event, stop, retries, fail_fast)
        try:
            while pipeline.restore_next():
                pass
            interrupted = stop.is_set() and pipeline.has_more
        except KeyboardInterrupt:
            interrupted = True
        pipeline.finish_writing(0)
        pipeline.give_up()
    finally:
        # A reader may hang in a file that never comes, and what it reads is not wanted any more.
        readers.shutdown(wait=False, cancel_futures=True)
        writers.shutdown(wait=True, cancel_futures=True)
    summary = pipeline.summary(time.perf_counter() - start, skipped, interrupted)
    on_event(summary)
    return summary


class _Pipeline:
    """The calling thread's side; it also counts what has come to its end."""

    def __init__(
        self,
        jobs: Sequence[Job],
        steps: Steps,
        pools: tuple[ThreadPoolExecutor, ThreadPoolExecutor],
        ahead: tuple[int, int],
        on_event: Callable[[Event], None],
        stop: Signal,
        retries: int,
        fail_fast: bool,
    ) -> None:
        self._stop = stop
        self._retries = retries
        self._fail_fast = fail_fast
        self._again: list[tuple[Job, FileDone]] = []
        self._upcoming = iter(jobs)
        self._steps = steps
        self._readers, self._writers = pools
        self._read_ahead, self._write_behind = ahead
        self._on_event = on_event
        self._reading: deque[tuple[Job, Future[tuple[Input | FileDone, float]]]] = deque()
        self._writing: deque[tuple[Job, Future[FileDone]]] = deque()
        self._counts: Counter[str] = Counter()
        self._pixels = 0
        self._metrics: list[Metrics] = []
        self._baselines: list[Metrics] = []
        self._stages = Seconds()
        self._waited = Waited()
        self._begin_reading()

    def restore_next(self) -> bool:
        """Run the network while a writer takes what is finished, and may go on; False if there is no more."""
        if not self._reading:
            self.finish_writing(0)
            self._try_again()
        if not self._reading or self._stop.is_set() or (self._fail_fast and self._counts["failed"]):
            return False
        job, reading = self._reading[0]
        start = time.perf_counter()
        while not wait([reading], timeout=LOOK_SECONDS).done:
            if self._stop.is_set():
                return False
        self._reading.popleft()
        found, seconds = reading.result()
        self._wait(read=time.perf_counter() - start)
        self._begin_reading()

        def on_tile(done: int, total: int) -> None:
            self._on_event(TileDone(job.input_name, done, total))
            self.finish_writing(self._write_behind)

        if isinstance(found, FileDone):
            self._writing.append((job, _ended(found, seconds)))
        else:
            restoration = guarded(job, partial(self._steps.restore, job, found, on_tile))
            if isinstance(restoration, FileDone):
                self._writing.append((job, _ended(restoration, seconds)))
            else:
                self._hand_over(job, found, restoration, seconds)
        start = time.perf_counter()
        self.finish_writing(self._write_behind)
        self._wait(write=time.perf_counter() - start)
        return True

    def finish_writing(self, at_most: int) -> None:
        """Count what is written, and wait until at most so many pictures are still being written."""
        while len(self._writing) > at_most or (self._writing and self._writing[0][1].done()):
            job, writing = self._writing[0]
            file = writing.result()
            self._writing.popleft()
            if self._retries and job.output and not job.problem and isinstance(file.cause, RETRIED):
                self._again.append((job, file))
                continue
            self._count(file)

    def give_up(self) -> None:
        """Count what was to be tried again when the run was stopped."""
        for _, file in self._again:
            self._count(file)
        self._again = []

    @property
    def has_more(self) -> bool:
        """Whether there are pictures that were not begun, or wait for another try."""
        return bool(self._reading or self._again)

    def _try_again(self) -> None:
        """Begin anew with the pictures that failed, if they may once more."""
        if self._again and self._retries:
            self._retries -= 1
            self._stop.wait(RETRY_SECONDS)
            self._upcoming = iter([job for job, _ in self._again])
            self._again = []
            self._begin_reading()

    def _count(self, file: FileDone) -> None:
        """Tell of a picture that has come to its end."""
        self._counts[file.status] += 1
        self._stages = self._stages.plus(file.seconds)
        if file.status == "done" and file.output_size:
            self._pixels += file.output_size[0] * file.output_size[1] * (file.frames or 1)
        if file.metrics and file.baseline:
            self._metrics.append(file.metrics)
            self._baselines.append(file.baseline)
        self._on_event(file)

    def summary(self, seconds: float, skipped: int, interrupted: bool) -> Summary:
        return Summary(
            done=self._counts["done"],
            current=self._counts["current"],
            skipped=self._counts["skipped"] + skipped,
            failed=self._counts["failed"],
            seconds=seconds,
            stages=self._stages,
            waited=self._waited,
            megapixels=self._pixels / 1e6,
            metrics=mean(self._metrics),
            baseline=mean(self._baselines),
            interrupted=interrupted,
        )

    def _begin_reading(self) -> None:
        while len(self._reading) < self._read_ahead and (job := next(self._upcoming, None)):
            self._reading.append((job, self._readers.submit(self._read, job)))

    def _read(self, job: Job) -> tuple[Input | FileDone, float]:
        start = time.perf_counter()
        found = guarded(job, lambda: self._steps.read(job))
        return found, time.perf_counter() - start

    def _hand_over(self, job: Job, found: Input, restoration: Restoration, seconds: float) -> None:
        """The network's side of a picture; `seconds` were spent on reading it."""
        bands = BandQueue()
        writing = self._writers.submit(self._write, job, found, restoration, bands, seconds)
        try:
            for band in restoration.bands:
                if not bands.put(band):
                    break  # The writer has failed, and tells why.
                del band
        except BaseException as error:
            bands.error = error
            if isinstance(error, BrokenPipeError) or not isinstance(error, Exception):
                raise
        finally:
            bands.put(None)
        self._wait(write=bands.put_seconds)
        self._writing.append((job, writing))

    def _write(
        self, job: Job, found: Input, restoration: Restoration, bands: BandQueue, seconds: float
    ) -> FileDone:
        """The writer's side."""
        start = time.perf_counter()

        def write() -> FileDone:
            try:
                return self._steps.write(job, found, restoration, bands)
            except Exception:
                if bands.error is not None:
                    raise bands.error from None
                raise
            finally:
                bands.close()

        file = guarded(job, write)
        took = time.perf_counter() - start - bands.get_seconds
        return replace(file, seconds=Seconds(read=seconds, restore=bands.restore_seconds, write=took))

    def _wait(self, *, read: float = 0.0, write: float = 0.0) -> None:
        """The network's thread has waited so long for the others."""
        self._waited = Waited(read=self._waited.read + read, write=self._waited.write + write)


def _ended(file: FileDone, read_seconds: float) -> Future[FileDone]:
    """A picture that needs no writer."""
    future: Future[FileDone] = Future()
    future.set_result(replace(file, seconds=Seconds(read=read_seconds)))
    return future


def guarded(job: Job, step: Callable[[], Result]) -> Result | FileDone:
    """Take one step with one job; whatever it raises is that picture's failure, not the batch's."""
    try:
        return step()
    except BrokenPipeError:
        raise
    except Exception as error:
        unexpected = f"unexpected {type(error).__name__}: {error}; --debug tells more"
        return FileDone(
            input=job.input_name,
            output=job.output_name,
            status="failed",
            error=str(error) if isinstance(error, EnhanceError) else " ".join(unexpected.split()),
            cause=error,
        )
