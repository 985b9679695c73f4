from itertools import pairwise

import numpy as np
import pytest

from enhance_cli.train.schedule import Budget, Constant, Cooldown, Steps


def test_a_budget_rises_then_falls_to_nothing():
    shares = [Budget(200, 0.1).share(seconds, 0) for seconds in np.linspace(0, 200, 101)]
    assert max(shares) == pytest.approx(1, abs=1e-6)
    assert int(np.argmax(shares)) == 10
    assert shares[-1] == pytest.approx(0, abs=1e-9)
    assert all(b <= a for a, b in pairwise(shares[10:]))


def test_a_constant_rate_rises_by_steps_and_stays():
    schedule = Constant(1000, 2000, warmup_steps=4)
    assert [schedule.share(1000, step) for step in range(6)] == [0.25, 0.5, 0.75, 1, 1, 1]
    assert schedule.share(1999, 100_000) == 1


def test_steps_are_of_equal_length_and_end_with_the_last_drop():
    schedule = Steps(100, drops=3, drop=0.1)
    shares = [schedule.share(seconds, 0) for seconds in (0, 24, 26, 51, 76, 100, 101)]
    assert shares == pytest.approx([1, 1, 0.1, 0.01, 0.001, 0.001, 0.001])


def test_a_cooldown_falls_to_nothing_from_where_the_run_stood():
    schedule = Cooldown(1000, 1200, warmup_steps=2)
    assert schedule.share(1000, 0) == 0.5
    assert [schedule.share(seconds, 9) for seconds in (1000, 1050, 1200, 1201)] == [1, 0.75, 0, 0]
