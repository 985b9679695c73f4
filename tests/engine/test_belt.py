"""Parts from one thread to another."""

import threading
from concurrent.futures import ThreadPoolExecutor, TimeoutError

import pytest

from enhance_cli.engine.belt import Abandoned, Belt, Unwanted


@pytest.fixture
def pool():
    with ThreadPoolExecutor(1) as pool:
        yield pool


def test_parts_come_in_their_order_and_then_the_end(pool):
    belt = Belt()
    taken = pool.submit(lambda: (list(belt), belt.end))
    for number in range(50):
        belt.put(number)
    belt.close("end")
    assert taken.result(10) == (list(range(50)), "end")


def test_the_sender_waits_for_room(pool):
    belt = Belt()
    belt.put(1)
    second = pool.submit(belt.put, 2)
    with pytest.raises(TimeoutError):
        second.result(0.05)
    assert next(iter(belt)) == 1
    second.result(10)
    assert belt.blocked >= 0.05


def test_the_receiver_waits_for_parts(pool):
    belt = Belt()
    taken = pool.submit(lambda: next(iter(belt)))
    with pytest.raises(TimeoutError):
        taken.result(0.05)
    belt.put(1)
    assert taken.result(10) == 1
    assert belt.starved >= 0.05
    belt.close(None)
    assert 0.05 <= belt.loading < 10


def test_who_is_abandoned_hears_it_at_once():
    belt, error = Belt(), ValueError("no")
    belt.put(1)
    belt.abandon(error)
    belt.close("too late")
    with pytest.raises(Abandoned) as caught:
        list(belt)
    assert caught.value.error is error


def test_a_sender_whose_receiver_left_hears_it_even_while_waiting(pool):
    belt = Belt()
    belt.put(1)
    waiting = pool.submit(belt.put, 2)
    threading.Timer(0.02, belt.leave).start()
    with pytest.raises(Unwanted):
        waiting.result(10)
    with pytest.raises(Unwanted):
        belt.put(3)


def test_what_was_ended_well_is_not_abandoned():
    belt = Belt()
    belt.close("end")
    belt.abandon(KeyboardInterrupt())
    assert (list(belt), belt.end) == ([], "end")
