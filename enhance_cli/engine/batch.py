"""The pipeline of a batch: reader threads | the network on the calling thread | writer threads.

Few pictures are read before their turn and few wait to be written, so that memory does not grow with the
batch; of a large one the writer takes what is finished while the network does the rest.  A picture that
fails is an event like any other.
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

from enhance_cli.engine.belt import Abandoned, Belt, Unwanted
from enhance_cli.engine.progress import Event, FileDone, Seconds, Summary, TileDone, Waited, mean
from enhance_cli.errors import EnhanceError, ImageError

DEPTH = 2
"""Pictures read ahead; more only where more threads are asked for."""
BEHIND = 1
"""Results that may be in the writers' hands while the network does the next, likewise."""


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
Task = TypeVar("Task")
Part = TypeVar("Part")
End = TypeVar("End")
Result = TypeVar("Result")
OnTile = Callable[[int, int], None]


class BatchWork(Protocol[Read, Task, Part, End]):
    """What is done to each picture.  `read` and `write` run in threads, the others on the caller's.

    Each may fail the job by raising, the first two may end it early by returning its FileDone.  Only
    `seconds` is filled in by the pipeline.
    """

    def read(self, job: Job) -> Read | FileDone:
        """Read and check the input."""

    def begin(self, job: Job, read: Read) -> Task | FileDone:
        """Decide how to restore it."""

    def restore(self, job: Job, task: Task, put: Callable[[Part], None], on_tile: OnTile) -> End:
        """Run the network; `put` hands each finished part to the writer, and may wait for it."""

    def write(self, job: Job, task: Task, parts: Belt[Part, End]) -> FileDone:
        """Encode and write the parts as they come; runs while `restore` does."""


def run(
    jobs: Sequence[Job],
    work: BatchWork[Read, Task, Part, End],
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


class _Pipeline(Generic[Read, Task, Part, End]):
    def __init__(
        self,
        work: BatchWork[Read, Task, Part, End],
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
        self._ahead: deque[tuple[Job, Future[tuple[Read | FileDone, float]]]] = deque()
        self._behind: deque[Future[FileDone]] = deque()
        self._belt: Belt[Part, End] = Belt()

    def run(self, jobs: Sequence[Job]) -> None:
        upcoming = iter(jobs)
        self._read_ahead(upcoming)
        try:
            while self._ahead:
                job, reading = self._ahead.popleft()
                read, seconds = self._tally.waiting("read", reading.result)
                self._read_ahead(upcoming)
                self._behind.append(self._restored(job, read, seconds))
                self._tally.waiting("write", lambda: self._wait_for(self._most_behind))
        except BaseException as error:
            # Else its writer would wait for the rest of the picture.
            self._belt.abandon(error)
            raise
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

    def _read(self, job: Job) -> tuple[Read | FileDone, float]:
        start = time.perf_counter()
        result = _guarded(job, lambda: self._work.read(job))
        return result, time.perf_counter() - start

    def _restored(self, job: Job, read: Read | FileDone, seconds: float) -> Future[FileDone]:
        """Run the network while a writer takes what is finished; the writer's end may come later."""
        belt = self._belt = Belt()
        task = read if isinstance(read, FileDone) else _guarded(job, lambda: self._work.begin(job, read))
        if isinstance(task, FileDone):
            return _over(replace(task, seconds=Seconds(read=seconds)))

        def on_tile(done: int, total: int) -> None:
            self._tally.on_event(TileDone(job.input_name, done, total))
            self._wait_for(self._most_behind)

        writing = self._writers.submit(self._write, job, task, belt, seconds)
        try:
            belt.close(self._work.restore(job, task, belt.put, on_tile))
        except BrokenPipeError:
            raise
        except Unwanted:
            pass  # The writer tells why.
        except Exception as error:
            belt.abandon(error)
        self._tally.waited("write", belt.blocked)
        return writing

    def _write(self, job: Job, task: Task, belt: Belt[Part, End], seconds: float) -> FileDone:
        start = time.perf_counter()

        def write() -> FileDone:
            try:
                return self._work.write(job, task, belt)
            except Abandoned as given_up:
                raise given_up.error from None
            finally:
                belt.leave()

        result = _guarded(job, write)
        took = time.perf_counter() - start - belt.starved
        return replace(result, seconds=Seconds(read=seconds, restore=belt.loading, write=took))


def _over(done: FileDone) -> Future[FileDone]:
    future: Future[FileDone] = Future()
    future.set_result(done)
    return future


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
        self._stages = Seconds()
        self._waited = Waited()

    def waiting(self, stage: str, call: Callable[[], Result]) -> Result:
        """Result of a call in which the network's thread may have to wait for that stage."""
        start = time.perf_counter()
        result = call()
        self.waited(stage, time.perf_counter() - start)
        return result

    def waited(self, stage: str, seconds: float) -> None:
        """The network's thread has waited so long for that stage."""
        self._waited = replace(self._waited, **{stage: getattr(self._waited, stage) + seconds})

    def count(self, file: FileDone) -> None:
        self._counts[file.status] += 1
        self._stages = self._stages.plus(file.seconds)
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
            stages=self._stages,
            waited=self._waited,
            megapixels=self._pixels / 1e6,
            metrics=mean(self._metrics),
            baseline=mean(self._baselines),
            interrupted=interrupted,
        )
