"""Signals that end a run: the first lets it finish the picture in hand, the second ends it at once."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any

INTERRUPTED = 130
"""Exit code of a run that was stopped by a signal."""
READER_GONE = 141
"""Exit code where nobody reads standard output any more, as of other programs that SIGPIPE ends."""
ECHO_SECONDS = 0.5
"""Signals that come so soon after the first are the same wish: terminals and wrappers each send one."""
SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)
)


class Interruption:
    """What the signals ask for, while a `with` block runs.

    A thread of its own hears them, by `signal.set_wakeup_fd`: the calling thread may be in the network, or
    wait for a file that never comes.  Outside of the main thread, where signals cannot be set, none is heard;
    one that the process was started to ignore (nohup, a shell's background) stays ignored.
    """

    def __init__(self, tell: Callable[[str], None], abandon: Callable[[], None]) -> None:
        """`abandon` removes what is unfinished, when the process ends at once."""
        self.stop = threading.Event()
        """Set when no picture is to be begun any more."""
        self.finishes = False
        """Whether there may be a picture in hand, which is worth waiting for."""
        self._tell = tell
        self._abandon = abandon
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interruption:
        if threading.current_thread() is not threading.main_thread():
            return self

        def wait_for_listener(number: int, frame: FrameType | None) -> None:
            # So that no other picture is begun before the signal is heard.
            self.stop.wait(ECHO_SECONDS)

        self._heard, self._alarm = socket.socketpair()
        self._alarm.setblocking(False)
        self._old_alarm = signal.set_wakeup_fd(self._alarm.fileno(), warn_on_full_buffer=False)
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        for number in SIGNALS:
            if signal.getsignal(number) not in (signal.SIG_IGN, None):
                self._before[number] = signal.signal(number, wait_for_listener)
        return self

    def __exit__(self, *_: object) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._old_alarm)
        self._alarm.close()
        self._listener.join()
        self._heard.close()

    def _listen(self) -> None:
        first = 0.0
        while number := self._heard.recv(1):
            if number[0] not in self._before:
                continue
            now = time.monotonic()
            if self.finishes and not self.stop.is_set():
                first = now
                self.stop.set()
                text = "stopping when the picture in hand is finished; once more stops at once"
                # A terminal may take no more for now, and the next signal has to be heard all the same.
                threading.Thread(target=self._tell, args=[text], daemon=True).start()
            elif not self.finishes:
                self._tell("interrupted")
                os._exit(INTERRUPTED)
            elif now - first > ECHO_SECONDS:
                self._abandon()
                os._exit(INTERRUPTED)


def leave(code: int) -> None:
    """End the process, after its last words, without waiting for threads: one may hang in a file."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(code)
