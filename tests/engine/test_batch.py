"""The pipeline, with work that only keeps count."""

import threading
import time
import weakref
from pathlib import Path
from typing import ClassVar

import pytest

from enhance_cli.engine import batch
from enhance_cli.engine.batch import Job
from enhance_cli.engine.progress import FileDone, Summary, TileDone
from enhance_cli.errors import ReadError


class Load:
    """Stands for the pixels of a picture."""

    alive: ClassVar[weakref.WeakSet] = weakref.WeakSet()

    def __init__(self):
        Load.alive.add(self)


class Work:
    """Fails where told to, by stage and number of the job."""

    def __init__(self, fail=(), on_restore=lambda number: None):
        self.fail = dict(fail)
        self.on_restore = on_restore
        self.most_alive = 0
        self.read_numbers = []
        self.written = []
        self.main_threads = set()

    def _stage(self, name, job):
        number = int(str(job.input))
        if self.fail.get(number) == name:
            raise ReadError(f"no {name}")
        return number

    def read(self, job):
        if job.problem:
            raise job.problem
        number = self._stage("read", job)
        self.read_numbers.append(number)
        if number == 77:
            return FileDone(input="77", output="77", status="current")
        return Load()

    def restore(self, job, read, on_tile):
        number = self._stage("restore", job)
        self.main_threads.add(threading.current_thread())
        self.on_restore(number)
        self.most_alive = max(self.most_alive, len(Load.alive))
        on_tile(1, 1)
        return read

    def write(self, job, made):
        number = self._stage("write", job)
        time.sleep(0.002)
        self.written.append(number)
        metrics = {"psnr": float(number)}
        return FileDone(
            input=str(number),
            output="",
            status="done",
            output_size=(1000, 500),
            metrics=metrics,
            baseline=metrics,
        )


def jobs(*numbers):
    return [Job(Path(str(number)), Path(f"out/{number}")) for number in numbers]


def run(work, numbers, **options):
    events = []
    summary = batch.run(jobs(*numbers), work, events.append, **options)
    return events, summary


def test_events_come_in_order_and_are_summed_up():
    work = Work()
    events, summary = run(work, range(10), skipped=3)
    done = [event for event in events if isinstance(event, FileDone)]
    assert [int(event.input) for event in done] == list(range(10))
    assert sum(isinstance(event, TileDone) for event in events) == 10
    assert events[-1] is summary
    assert (summary.done, summary.skipped, summary.failed) == (10, 3, 0)
    assert summary.megapixels == pytest.approx(5)
    assert summary.metrics == {"psnr": 4.5}
    assert all(event.seconds.write > 0 for event in done)
    assert work.main_threads == {threading.main_thread()}


@pytest.mark.parametrize("stage", ["read", "restore", "write"])
def test_one_bad_picture_never_ends_the_batch(stage):
    work = Work(fail={2: stage})
    events, summary = run(work, range(5))
    statuses = [event.status for event in events if isinstance(event, FileDone)]
    assert statuses == ["done", "done", "failed", "done", "done"]
    assert (summary.done, summary.failed) == (4, 1)
    (failed,) = (event for event in events if isinstance(event, FileDone) and event.status == "failed")
    assert failed.error == f"no {stage}"


def test_the_unexpected_is_one_line():
    def burst(number):
        raise ValueError("two\nlines")

    events, _ = run(Work(on_restore=burst), [1])
    assert events[0].error.startswith("unexpected ValueError: two lines")
    assert isinstance(events[0].cause, ValueError)


def test_stages_may_end_a_job_early_and_problems_are_failures():
    work = Work()
    events = []
    known = Job(Path("1"), Path("2"), problem=ReadError("gone"))
    summary = batch.run([*jobs(77), known], work, events.append)
    assert (summary.current, summary.failed) == (1, 1)
    assert work.written == []


def test_memory_does_not_grow_with_the_batch():
    work = Work()
    run(work, range(40))
    # Ahead and behind, one in the network, and one each that has just been handed over.
    assert work.most_alive <= batch.DEPTH + batch.BEHIND + 3


def test_an_interrupt_finishes_what_is_being_written_and_begins_nothing():
    def stop(number):
        if number == 3:
            raise KeyboardInterrupt

    work = Work(on_restore=stop)
    events, summary = run(work, range(50))
    assert summary.interrupted
    assert summary.done == 3 == len(work.written)
    assert max(work.read_numbers) <= 3 + batch.DEPTH
    assert isinstance(events[-1], Summary)


def test_a_closed_pipe_ends_the_run():
    def closed(event):
        raise BrokenPipeError

    work = Work()
    with pytest.raises(BrokenPipeError):
        batch.run(jobs(*range(50)), work, closed)
    assert len(work.read_numbers) < 10
