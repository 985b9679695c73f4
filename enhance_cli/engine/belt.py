"""Carries the parts of one result from the network's thread to a writer's while the network goes on."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from threading import Condition
from typing import Generic, TypeVar

Part = TypeVar("Part")
End = TypeVar("End")

ROOM = 1
"""Parts that may lie on a belt: a band of a 48-megapixel picture enlarged x4 holds 0.2 GB."""


class Unwanted(Exception):
    """The receiver has gone; it knows why."""


class Abandoned(Exception):
    """The sender gave up on `error`."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(str(error))
        self.error = error


class Belt(Generic[Part, End]):
    """One sender puts parts and then says how it ended; one receiver takes them in that order."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._parts: deque[Part] = deque()
        self._end: End | None = None
        self._error: BaseException | None = None
        self._ended = False
        self._unwanted = False
        self._start = time.perf_counter()
        self.loading = 0.0
        """Seconds from the beginning until the sender ended, less those it waited for room."""
        self.blocked = 0.0
        """Seconds that the sender waited for room."""
        self.starved = 0.0
        """Seconds that the receiver waited for parts."""

    def put(self, part: Part) -> None:
        """Add a part, when there is room.  Unwanted if nobody takes it any more."""
        with self._changed:
            self.blocked += self._wait(lambda: len(self._parts) < ROOM or self._unwanted)
            if self._unwanted:
                raise Unwanted
            self._parts.append(part)
            self._changed.notify_all()

    def close(self, end: End) -> None:
        """All parts are put; `end` is told to the receiver."""
        self._finish(end, None)

    def abandon(self, error: BaseException) -> None:
        """No more will come, because of `error`; nothing if it is ended already."""
        self._finish(None, error)

    def _finish(self, end: End | None, error: BaseException | None) -> None:
        with self._changed:
            if self._ended:
                return
            self._end, self._error, self._ended = end, error, True
            self.loading = time.perf_counter() - self._start - self.blocked
            self._changed.notify_all()

    def __iter__(self) -> Iterator[Part]:
        """The parts, as they come.  Abandoned if the sender gave up, however many have come."""
        while True:
            with self._changed:
                self.starved += self._wait(lambda: bool(self._parts or self._ended))
                if self._error is not None:
                    raise Abandoned(self._error)
                if not self._parts:
                    return
                part = self._parts.popleft()
                self._changed.notify_all()
            yield part
            del part

    @property
    def end(self) -> End:
        """What the sender said, for who has taken all parts."""
        assert self._ended and self._error is None
        return self._end  # type: ignore[return-value]

    def leave(self) -> None:
        """The receiver takes no more."""
        with self._changed:
            self._unwanted = True
            self._parts.clear()
            self._changed.notify_all()

    def _wait(self, ready: Callable[[], bool]) -> float:
        start = time.perf_counter()
        self._changed.wait_for(ready)
        return time.perf_counter() - start
