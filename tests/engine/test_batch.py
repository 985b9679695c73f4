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
from enhance_cli.errors import ReadError, RestoreError, WriteError


class Load:
    """Stands for the pixels of a picture."""

    alive: ClassVar[weakref.WeakSet] = weakref.WeakSet()

    def __init__(self):
        Load.alive.add(self)


class Work:
    """Fails where told to, by stage and number of the job."""

    def __init__(self, fail=(), on_restore=lambda number: None, parts=1):
        self.fail = dict(fail)
        self.parts = parts
        self.on_restore = on_restore
        self.most_alive = 0
        self.read_numbers = []
        self.written = []
        self.main_threads, self.writer_threads = set(), set()

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

    def begin(self, job, read):
        number = self._stage("begin", job)
        return FileDone(input="78", output="78", status="current") if number == 78 else read

    def restore(self, job, task, put, on_tile):
        number = self._stage("restore", job)
        self.main_threads.add(threading.current_thread())
        for part in range(self.parts):
            self.on_restore(number)
            put(Load())
            self.most_alive = max(self.most_alive, len(Load.alive))
            on_tile(part + 1, self.parts)
        return "end"

    def write(self, job, task, parts):
        number = self._stage("write", job)
        self.writer_threads.add(threading.current_thread())
        for _ in parts:
            time.sleep(0.002)
        assert parts.end == "end"
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
    assert threading.main_thread() not in work.writer_threads
    assert summary.stages.write == pytest.approx(sum(event.seconds.write for event in done))
    assert summary.stages.restore == pytest.approx(sum(event.seconds.restore for event in done))


@pytest.mark.parametrize("stage", ["read", "begin", "restore", "write"])
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
    summary = batch.run([*jobs(77, 78), known], work, events.append)
    assert (summary.current, summary.failed) == (2, 1)
    assert work.written == []


@pytest.mark.parametrize("parts", [1, 20])
def test_memory_grows_neither_with_the_batch_nor_with_the_picture(parts):
    work = Work(parts=parts)
    run(work, range(40 // parts))
    # Inputs: ahead, in the network, behind, and one just handed over.  Parts: just made, waiting, in the
    # writer's hands, for this picture and the one behind.
    assert work.most_alive <= (batch.DEPTH + 1 + batch.BEHIND + 1) + 3 * (1 + batch.BEHIND)


def test_a_writer_takes_parts_while_the_network_goes_on():
    both = threading.Barrier(2, timeout=10)

    class Meeting(Work):
        def restore(self, job, task, put, on_tile):
            put(1)
            both.wait()
            put(2)
            return "end"

        def write(self, job, task, parts):
            taken = iter(parts)
            assert next(taken) == 1
            both.wait()
            assert list(taken) == [2]
            return FileDone(input="1", output="", status="done")

    _, summary = run(Meeting(), [1])
    assert summary.done == 1


def test_a_writer_that_fails_stops_the_network():
    made = []

    class Full(Work):
        def restore(self, job, task, put, on_tile):
            for number in range(1000):
                put(number)
                made.append(number)

        def write(self, job, task, parts):
            next(iter(parts))
            raise WriteError("disk full")

    events, summary = run(Full(), [1])
    assert (summary.failed, events[0].error) == (1, "disk full")
    assert len(made) < 10


def test_a_network_that_fails_in_the_middle_leaves_nothing_of_the_picture():
    kept = []

    class Half(Work):
        def restore(self, job, task, put, on_tile):
            put(1)
            put(2)
            raise RestoreError("too large")

        def write(self, job, task, parts):
            kept.append(list(parts))
            return FileDone(input="1", output="", status="done")

    events, summary = run(Half(), [1])
    assert (summary.failed, events[0].error) == (1, "too large")
    assert kept == []


def test_the_summary_tells_what_the_network_waited_for():
    slow = threading.Event()

    class Slow(Work):
        def read(self, job):
            slow.wait(0.05)
            return super().read(job)

    _, summary = run(Slow(), range(3), threads=1)
    assert summary.waited.read >= 0.04
    _, summary = run(Work(parts=40), [1])
    assert summary.waited.write >= 0.002 * 20


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


def test_an_interrupt_between_two_parts_drops_the_picture():
    calls = []

    def stop(number):
        calls.append(number)
        if calls.count(1) == 3:
            raise KeyboardInterrupt

    work = Work(on_restore=stop, parts=5)
    events, summary = run(work, range(4))
    assert summary.interrupted
    assert work.written == [0]
    assert [event.input for event in events if isinstance(event, FileDone)] == ["0"]


def test_a_closed_pipe_ends_the_run():
    def closed(event):
        raise BrokenPipeError

    work = Work()
    with pytest.raises(BrokenPipeError):
        batch.run(jobs(*range(50)), work, closed)
    assert len(work.read_numbers) < 10
