"""How the rows of a result get from the network's thread to a writer's."""

from __future__ import annotations

import time
from collections.abc import Iterator
from queue import Queue
from threading import Event as Signal

from enhance_cli.imaging.picture import Picture


class BandQueue:
    """Hands the bands of one result from the network's thread to a writer's; one may wait."""

    def __init__(self) -> None:
        self._queue: Queue[Picture | None] = Queue(maxsize=1)
        self._closed = Signal()
        self.error: BaseException | None = None
        """Why the network gave up."""
        self.restore_seconds = 0.0
        """Until the network had ended, without `put_seconds`."""
        self.put_seconds = 0.0
        """How long the network waited for the writer."""
        self.get_seconds = 0.0
        """How long the writer waited for the network."""
        self._start = time.perf_counter()

    def put(self, band: Picture | None) -> bool:
        """Add a band when there is room; False if nobody takes bands any more.  None ends them."""
        start = time.perf_counter()
        if band is None:
            self.restore_seconds = start - self._start - self.put_seconds
        if not self._closed.is_set():
            self._queue.put(band)
        self.put_seconds += time.perf_counter() - start
        return not self._closed.is_set()

    def __iter__(self) -> Iterator[Picture]:
        """The bands, as they come; an error if the network gave up, however many have come."""
        while True:
            start = time.perf_counter()
            band = self._queue.get()
            self.get_seconds += time.perf_counter() - start
            if self.error is not None:
                raise RuntimeError("the network gave up") from self.error
            if band is None:
                return
            yield band
            del band

    def close(self) -> None:
        """Take no more bands, and release a thread that waits to add one."""
        self._closed.set()
        while not self._queue.empty():
            self._queue.get()
