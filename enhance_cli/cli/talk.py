"""Standard error as a stream that never fails: what cannot be said must not stop what is done."""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress
from typing import TextIO


class Talk(io.TextIOBase):
    """Writes to what stderr is now; what a full one or a lost terminal does not take is dropped."""

    def __init__(self) -> None:
        # Progress bars put themselves in its place, to stay below all lines.
        self._stream = sys.stderr

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """That of stderr."""
        return getattr(self._stream, "encoding", None) or "utf-8"

    def writable(self) -> bool:
        """Always."""
        return True

    def isatty(self) -> bool:
        """Whether somebody watches."""
        try:
            return self._stream is not None and self._stream.isatty()
        except ValueError:  # closed
            return False

    def write(self, text: str) -> int:
        """Write as much as can be written; returns the length of the text."""
        if self._stream is not None:
            try:
                self._stream.write(text)
                self._stream.flush()
            except (OSError, ValueError):
                discard(self._stream)
        return len(text)


def discard(stream: TextIO) -> None:
    """Lead a stream that cannot be written to nowhere: Python would fail once more when it closes it."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
