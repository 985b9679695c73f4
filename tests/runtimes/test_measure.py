"""Comparing runtimes where other programs disturb."""

import time

import pytest

from enhance_cli.arch.contract import ArchSpec
from enhance_cli.runtimes import measure

SPEC = ArchSpec(colour="gray", halo=1)


class Clock:
    """Time that passes only when it is told to."""

    def __init__(self, monkeypatch):
        self.now = 0.0
        for name in ("process_time", "perf_counter"):
            monkeypatch.setattr(time, name, lambda: self.now)


class Timed:
    """A runtime that takes so many seconds for a megapixel, and more where something disturbs."""

    def __init__(self, clock, seconds, disturb=lambda n: 1.0):
        self.clock, self.seconds, self.disturb, self.shapes = clock, seconds, disturb, []

    def __call__(self, x, condition):
        self.shapes.append(x.shape)
        self.clock.now += self.seconds * x.size / 1e6 * self.disturb(len(self.shapes))
        return x


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)


def test_times_are_those_of_a_tenth_of_a_megapixel(clock):
    runtimes = {"slow": Timed(clock, 2.0), "quick": Timed(clock, 0.5)}
    found = measure.milliseconds(runtimes, SPEC, 1)
    assert found == pytest.approx({"slow": 200, "quick": 50})


def test_disturbances_of_some_turns_change_nothing(clock):
    quick = Timed(clock, 0.1, disturb=lambda n: 5.0 if n in (5, 6, 9, 10) else 1.0)
    found = measure.milliseconds({"slow": Timed(clock, 0.15), "quick": quick}, SPEC, 1)
    assert found["slow"] / found["quick"] == pytest.approx(1.5)


def test_pictures_have_several_sizes_and_each_is_run_twice(clock):
    runtime = Timed(clock, 0.1)
    measure.milliseconds({"one": runtime, "other": Timed(clock, 0.1)}, SPEC, 1)
    assert len(set(runtime.shapes)) == len(runtime.shapes) / 2 == measure.MOST_TURNS + 1


def test_a_slow_network_is_compared_on_small_pictures_and_not_for_long(clock):
    runtime = Timed(clock, 200.0)
    measure.milliseconds({"one": runtime}, SPEC, 1)
    assert {shape[2] for shape in runtime.shapes} <= {measure.SMALL_SIDE}
    assert len(runtime.shapes) <= 4
