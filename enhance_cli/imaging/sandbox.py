"""Decoding in a process of its own, which may take so much time and memory, and opens no files.

The process gets the bytes of a file and gives back frames.  When everything is loaded it gives up the right
to open anything and to write files (`setrlimit`), so that a flaw in a decoder meets little that is worth
having.  What comes back is checked like a file: nothing in it is run, and its sizes have to be those of its
pixels.
"""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, fields, is_dataclass
from typing import IO, Any

import numpy as np

from enhance_cli.errors import EnhanceError, ReadError
from enhance_cli.imaging import decode
from enhance_cli.imaging.decode import Frame, ReadOptions
from enhance_cli.imaging.encode import encode
from enhance_cli.imaging.formats import FORMATS
from enhance_cli.imaging.limits import Limits
from enhance_cli.imaging.picture import Metadata, Picture

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

DEFAULT_SECONDS = 120.0
DEFAULT_BYTES = 2 << 30
"""Beyond what the process has mapped when everything is loaded."""
LONGEST_LINE = 1 << 20
CODECS = ("utf-8", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1", "ascii", "cp1252")
"""What metadata are written in; Python loads each when it first meets it."""


class Sandbox:
    """Reads pictures in processes of its own, as many at a time as there are threads that ask."""

    command = (sys.executable, "-c", "from enhance_cli.imaging.sandbox import main; main()")
    """What is started, with memory and seconds behind it."""

    def __init__(self, *, seconds: float | None = None, memory: int | None = None) -> None:
        """`seconds` for each frame, None: two minutes; `memory` of a process in bytes, None: 2 GiB."""
        self._seconds = seconds or DEFAULT_SECONDS
        self._memory = memory or DEFAULT_BYTES
        self._idle: list[subprocess.Popen[bytes]] = []
        self._lock = threading.Lock()

    def read_frames(self, data: bytes, options: ReadOptions, *, first_only: bool = False) -> Iterator[Frame]:
        """As `decode.read_frames`; ReadError also where the process takes too long, or comes to an end."""
        with self._lock:
            worker = self._idle.pop() if self._idle else None
        worker = worker or self._started()
        assert worker.stdin and worker.stdout
        done = False
        try:
            wish = {"options": asdict(options), "first_only": first_only, "length": len(data)}
            late = threading.Event()
            timer = self._timer(worker, late)
            try:
                with suppress(BrokenPipeError):
                    worker.stdin.write(json.dumps(wish).encode() + b"\n")
                    worker.stdin.write(data)
                    worker.stdin.flush()
                while True:
                    told = _received(worker.stdout, options.limits)
                    timer.cancel()
                    if told is None:
                        raise ReadError(self._why(worker, late))
                    if isinstance(told, str):
                        done = True
                        if told:
                            raise ReadError(told)
                        return
                    yield told
                    timer = self._timer(worker, late)
            finally:
                timer.cancel()
        finally:
            if done:
                with self._lock:
                    self._idle.append(worker)
            else:
                # It may hang, or be at a frame that nobody wants any more.
                _end(worker)

    def close(self) -> None:
        """End the processes that wait."""
        with self._lock:
            for worker in self._idle:
                _end(worker)
            self._idle.clear()

    def _started(self) -> subprocess.Popen[bytes]:
        worker = subprocess.Popen(
            [*self.command, str(self._memory), str(self._seconds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            # Ctrl-C is for the command, which finishes the picture in hand.
            start_new_session=True,
        )
        assert worker.stdout
        # Loading takes its time, and is not the picture's fault.
        if not worker.stdout.readline():
            _end(worker)
            raise ReadError("the process that decodes pictures cannot be started; leave out --sandbox")
        return worker

    def _timer(self, worker: subprocess.Popen[bytes], late: threading.Event) -> threading.Timer:
        """Ends the process when its time is over, and says so."""

        def end() -> None:
            late.set()
            worker.kill()

        timer = threading.Timer(self._seconds, end)
        timer.daemon = True
        timer.start()
        return timer

    def _why(self, worker: subprocess.Popen[bytes], late: threading.Event) -> str:
        code = worker.wait()
        if late.is_set():
            return f"decoding took longer than {self._seconds:g} s; raise --timeout"
        return f"the process that decodes pictures ended with {code}; the file is broken or hostile"


def main() -> None:
    """The process that `Sandbox` starts."""
    serve(int(sys.argv[1]), float(sys.argv[2]))


def serve(memory: int, seconds: float) -> None:
    """The other side: read pictures from standard input until it is closed."""
    # Should the command be gone, nobody else ends it.
    alarm: Callable[[int], object] = getattr(signal, "alarm", lambda _: None)
    given, taken = sys.stdin.buffer, sys.stdout.buffer
    _load_everything()
    if resource is not None:
        mapped = 0
        if sys.platform == "linux":
            with open("/proc/self/statm", "rb") as file:
                mapped = int(file.read().split()[0]) * resource.getpagesize()
        for limit, value in (
            (resource.RLIMIT_AS, mapped + memory),
            (resource.RLIMIT_FSIZE, 0),
            (resource.RLIMIT_CORE, 0),
            # The standard streams stay open; there is no room for another.
            (resource.RLIMIT_NOFILE, 3),
        ):
            with suppress(OSError, ValueError):
                resource.setrlimit(limit, (value, value))
    taken.write(b"ready\n")
    taken.flush()
    while line := given.readline():
        wish = json.loads(line)
        left = wish["length"]
        options = ReadOptions(**{**wish["options"], "limits": Limits(**wish["options"]["limits"])})
        try:
            data, left = given.read(left), 0
            alarm(2 * math.ceil(seconds))
            for frame in decode.read_frames(data, options=options):
                alarm(0)
                _send(taken, frame)
                if wish["first_only"]:
                    break
                alarm(2 * math.ceil(seconds))
            message = ""
        except EnhanceError as error:
            message = str(error)
        except MemoryError:
            message = "not enough memory to decode it; raise --memory"
            while left:
                left -= len(given.read(min(left, LONGEST_LINE)))
        alarm(0)
        taken.write(json.dumps({"end": message}).encode() + b"\n")
        taken.flush()


def _load_everything() -> None:
    """What reading any picture imports: afterwards no file can be opened."""
    pixels = np.zeros((8, 8, 3), np.uint8)
    for name in CODECS:
        "".encode(name)
    for format, known in FORMATS.items():
        if known.missing is None:
            with suppress(EnhanceError):
                decode.read(encode(Picture(pixels), format))


def _send(to: IO[bytes], frame: Frame) -> None:
    """A line of JSON, in which bytes and arrays are numbers of blobs, and then these."""
    blobs: list[bytes] = []

    def plain(value: Any) -> Any:
        if isinstance(value, (bytes, np.ndarray)):
            blobs.append(value if isinstance(value, bytes) else value.tobytes())
            shape = None if isinstance(value, bytes) else [*value.shape, value.dtype.itemsize]
            return {"blob": len(blobs) - 1, "shape": shape}
        if isinstance(value, tuple):
            return [plain(one) for one in value]
        if is_dataclass(value):
            return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
        return value

    told = {"frame": plain(frame), "lengths": [len(blob) for blob in blobs]}
    to.write(json.dumps(told).encode() + b"\n")
    for blob in blobs:
        to.write(blob)
    to.flush()


def _received(source: IO[bytes], limits: Limits) -> Frame | str | None:
    """A frame; how the last one was followed (empty, or an error); None if the process has ended.

    Whatever is not as `_send` writes it is a ReadError.
    """
    line = source.readline(LONGEST_LINE)
    if not line.endswith(b"\n"):
        return None
    try:
        told = json.loads(line)
        if "end" in told:
            return str(told["end"])
        # Pixels of 16 bits with alpha, a profile, EXIF and XMP, and the texts of a PNG.
        most = 8 * limits.pixels + 4 * limits.profile_bytes + limits.file_bytes
        if sum(told["lengths"]) > most or min(told["lengths"], default=0) < 0:
            raise ValueError("too long")
        blobs = [source.read(length) for length in told["lengths"]]
        if [len(blob) for blob in blobs] != told["lengths"]:
            return None

        def whole(value: Any) -> Any:
            if isinstance(value, dict) and "blob" in value:
                blob, shape = blobs[value["blob"]], value["shape"]
                if shape is None:
                    return blob
                *sides, itemsize = shape
                array = np.frombuffer(blob, {1: np.uint8, 2: np.uint16}[itemsize]).reshape(sides)
                return array.copy()
            if isinstance(value, dict):
                return {name: whole(one) for name, one in value.items()}
            return tuple(whole(one) for one in value) if isinstance(value, list) else value

        found = whole(told["frame"])
        picture = found["picture"]
        made = Picture(**{**picture, "metadata": Metadata(**picture["metadata"])})
        alpha, shape = made.alpha, made.pixels.shape
        if len(shape) != 3 or shape[2] not in (1, 3) or (alpha is not None and alpha.shape != shape[:2]):
            raise ValueError("no picture")
        return Frame(**{**found, "picture": made})
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise ReadError(
            "the process that decodes pictures gave none; the file is broken or hostile"
        ) from error


def _end(worker: subprocess.Popen[bytes]) -> None:
    worker.kill()
    worker.wait()
    for stream in (worker.stdin, worker.stdout):
        with suppress(OSError):
            if stream:
                stream.close()
