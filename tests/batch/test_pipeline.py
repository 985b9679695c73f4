"""The pipeline, with steps that only keep count."""

import threading
import time
import weakref
from pathlib import Path
from typing import ClassVar

import pytest

from enhance_cli.batch import pipeline
from enhance_cli.batch.plan import Job
from enhance_cli.batch.progress import FileDone, Summary, TileDone
from enhance_cli.errors import ReadError, RestoreError, WriteError


class Load:
    """Stands for the pixels of a picture."""

    alive: ClassVar[weakref.WeakSet] = weakref.WeakSet()

    def __init__(self):
        Load.alive.add(self)


class Restoration:
    def __init__(self, bands):
        self.bands = bands


class Steps:
    """Fails where told to, by step and number of the job."""

    def __init__(self, fail=(), on_restore=lambda number: None, parts=1):
        self.fail = dict(fail)
        self.parts = parts
        self.on_restore = on_restore
        self.most_alive = 0
        self.read_numbers = []
        self.written = []
        self.main_threads, self.writer_threads = set(), set()

    def _step(self, name, job):
        number = int(str(job.input))
        if self.fail.get(number) == name:
            raise ReadError(f"no {name}")
        return number

    def read(self, job):
        if job.problem:
            raise job.problem
        number = self._step("read", job)
        self.read_numbers.append(number)
        if number == 77:
            return FileDone(input="77", output="77", status="current")
        return Load()

    def restore(self, job, found, on_tile):
        self._step("restore", job)
        return Restoration(self.bands(job, on_tile))

    def bands(self, job, on_tile):
        number = self._step("bands", job)
        self.main_threads.add(threading.current_thread())
        for part in range(self.parts):
            self.on_restore(number)
            self.most_alive = max(self.most_alive, len(Load.alive))
            yield Load()
            on_tile(part + 1, self.parts)

    def write(self, job, found, restoration, bands):
        number = self._step("write", job)
        self.writer_threads.add(threading.current_thread())
        for _ in bands:
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


def run(steps, numbers, **options):
    events = []
    summary = pipeline.run(jobs(*numbers), steps, events.append, **options)
    return events, summary


def test_events_come_in_order_and_are_summed_up():
    steps = Steps()
    events, summary = run(steps, range(10), skipped=3)
    done = [event for event in events if isinstance(event, FileDone)]
    assert [int(event.input) for event in done] == list(range(10))
    assert sum(isinstance(event, TileDone) for event in events) == 10
    assert events[-1] is summary
    assert (summary.done, summary.skipped, summary.failed) == (10, 3, 0)
    assert summary.megapixels == pytest.approx(5)
    assert summary.metrics == {"psnr": 4.5}
    assert all(event.seconds.write > 0 for event in done)
    assert steps.main_threads == {threading.main_thread()}
    assert threading.main_thread() not in steps.writer_threads
    assert summary.stages.write == pytest.approx(sum(event.seconds.write for event in done))
    assert summary.stages.restore == pytest.approx(sum(event.seconds.restore for event in done))


def test_one_by_one_few_pictures_are_in_memory():
    steps, usual = Steps(), Steps()
    _, summary = run(steps, range(12), one_by_one=True)
    run(usual, range(12))
    assert summary.done == 12
    # One read ahead, the one in hand and its result; of the picture before at most what is being let go.
    assert steps.most_alive <= 4 < usual.most_alive + 1


@pytest.mark.parametrize("step", ["read", "restore", "bands", "write"])
def test_one_bad_picture_never_ends_the_batch(step):
    steps = Steps(fail={2: step})
    events, summary = run(steps, range(5))
    statuses = [event.status for event in events if isinstance(event, FileDone)]
    assert statuses == ["done", "done", "failed", "done", "done"]
    assert (summary.done, summary.failed) == (4, 1)
    (failed,) = (event for event in events if isinstance(event, FileDone) and event.status == "failed")
    assert failed.error == f"no {step}"


def test_the_unexpected_is_one_line():
    def burst(number):
        raise ValueError("two\nlines")

    events, _ = run(Steps(on_restore=burst), [1])
    assert events[0].error.startswith("unexpected ValueError: two lines")
    assert isinstance(events[0].cause, ValueError)


def test_reading_may_end_a_job_and_problems_are_failures():
    steps = Steps()
    events = []
    known = Job(Path("1"), Path("2"), problem=ReadError("gone"))
    summary = pipeline.run([*jobs(77), known], steps, events.append)
    assert (summary.current, summary.failed) == (1, 1)
    assert steps.written == []


@pytest.mark.parametrize("parts", [1, 20])
def test_memory_grows_neither_with_the_batch_nor_with_the_picture(parts):
    steps = Steps(parts=parts)
    run(steps, range(40 // parts))
    # Inputs: ahead, in the network, behind, and one just handed over.  Bands: just made, waiting, in the
    # writer's hands, for this picture and the one behind.
    inputs, bands = pipeline.READ_AHEAD + 1 + pipeline.WRITE_BEHIND + 1, 3 * (1 + pipeline.WRITE_BEHIND)
    assert steps.most_alive <= inputs + bands


def test_a_writer_takes_bands_while_the_network_goes_on():
    both = threading.Barrier(2, timeout=10)

    class Meeting(Steps):
        def bands(self, job, on_tile):
            yield 1
            both.wait()
            yield 2

        def write(self, job, found, restoration, bands):
            taken = iter(bands)
            assert next(taken) == 1
            both.wait()
            assert list(taken) == [2]
            return FileDone(input="1", output="", status="done")

    _, summary = run(Meeting(), [1])
    assert summary.done == 1


def test_a_writer_that_fails_stops_the_network():
    made = []

    class Full(Steps):
        def bands(self, job, on_tile):
            for number in range(1000):
                yield number
                made.append(number)

        def write(self, job, found, restoration, bands):
            next(iter(bands))
            raise WriteError("disk full")

    events, summary = run(Full(), [1])
    assert (summary.failed, events[0].error) == (1, "disk full")
    assert len(made) < 10


@pytest.mark.parametrize("error", [RestoreError("too large"), ValueError("too large")])
def test_a_network_that_fails_in_the_middle_leaves_nothing_of_the_picture(error):
    kept = []

    class Half(Steps):
        def bands(self, job, on_tile):
            yield 1
            yield 2
            raise error

        def write(self, job, found, restoration, bands):
            try:
                kept.append(list(bands))
            except Exception as wrong:  # as what writes files does
                raise WriteError("cannot be written") from wrong
            return FileDone(input="1", output="", status="done")

    events, summary = run(Half(), [1])
    assert (summary.failed, events[0].cause) == (1, error)
    assert kept == []


def test_the_summary_tells_what_the_network_waited_for():
    slow = threading.Event()

    class Slow(Steps):
        def read(self, job):
            slow.wait(0.05)
            return super().read(job)

    _, summary = run(Slow(), range(3), threads=1)
    assert summary.waited.read >= 0.04
    _, summary = run(Steps(parts=40), [1])
    assert summary.waited.write >= 0.002 * 20


def test_an_interrupt_finishes_what_is_being_written_and_begins_nothing():
    def stop(number):
        if number == 3:
            raise KeyboardInterrupt

    steps = Steps(on_restore=stop)
    events, summary = run(steps, range(50))
    assert summary.interrupted
    assert summary.done == 3 == len(steps.written)
    assert max(steps.read_numbers) <= 3 + pipeline.READ_AHEAD
    assert isinstance(events[-1], Summary)


def test_an_interrupt_between_two_parts_drops_the_picture():
    calls = []

    def stop(number):
        calls.append(number)
        if calls.count(1) == 3:
            raise KeyboardInterrupt

    steps = Steps(on_restore=stop, parts=5)
    events, summary = run(steps, range(4))
    assert summary.interrupted
    assert steps.written == [0]
    assert [event.input for event in events if isinstance(event, FileDone)] == ["0"]


def test_a_closed_pipe_ends_the_run():
    def closed(event):
        raise BrokenPipeError

    steps = Steps()
    with pytest.raises(BrokenPipeError):
        pipeline.run(jobs(*range(50)), steps, closed)
    assert len(steps.read_numbers) < 10
