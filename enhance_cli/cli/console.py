"""What the user sees: data on stdout, talk on stderr."""

from __future__ import annotations

import json as encoder
import os
import re
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from enhance_cli.cli.progress import progress_bar
from enhance_cli.cli.talk import Talk, discard
from enhance_cli.errors import EnhanceError, ReadError, WriteError

if TYPE_CHECKING:
    from rich.progress import TaskID

    from enhance_cli.batch.progress import Event, FileDone, Start, Summary, TileDone
    from enhance_cli.metrics.measure import Metrics

NAMED_FAILURES = 20
"""Failures repeated at the end of a batch that is longer than this; all were shown when they happened."""
LONG_WAIT = 0.1
"""Share of the run that the network spends waiting, from which the summary says what would help."""
FAST_SETTINGS = {".png": ("png_level", 2), ".webp": ("webp_effort", 0)}
"""The setting, by suffix, from which on writing takes little time."""
NAME_WIDTH = 32
"""Characters of a file's name in the progress bar."""
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""What would end a line, steer the terminal or not be encoded."""


def read_stdin(at_most: int) -> bytes:
    """Standard input, up to a byte more than `at_most`; ReadError if it is closed."""
    if sys.stdin is None:
        raise ReadError("standard input is closed; pipe a picture into it or name a file")
    return sys.stdin.buffer.read(at_most + 1)


def write_stdout(content: bytes) -> None:
    """A picture on stdout, at once; WriteError if it cannot be written."""
    if sys.stdout is None:
        raise WriteError("standard output is closed; name an output")
    try:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        discard(sys.stdout)
        raise WriteError(f"cannot write to standard output: {error.strerror}") from error


def data(line: str) -> None:
    """One line of data on stdout, at once; EnhanceError if it cannot be written."""
    if sys.stdout is None:
        raise EnhanceError("standard output is closed; send it to a file or a pipe")
    try:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        discard(sys.stdout)
        raise EnhanceError(f"cannot write to standard output: {error.strerror}") from error


def event(kind: str, fields: dict[str, Any]) -> None:
    """One JSON event on stdout; ValueError for numbers that JSON does not have."""
    data(encoder.dumps({"event": kind, "schema": 1, **fields}, allow_nan=False, default=str))


def say(line: str) -> None:
    """One line of talk on stderr, if there is one."""
    Talk().write(f"{line}\n")


def error(text: str) -> None:
    """An error in one line on stderr."""
    say(f"enhance: error: {visible(text)}")


def visible(text: str) -> str:
    """The text in one line: odd characters in file names are spelt out."""
    return CONTROL.sub(lambda found: repr(found[0])[1:-1], text)


class BatchConsole:
    """Shows the events of a batch: JSON on stdout if asked for, talk and a progress bar on stderr."""

    def __init__(self, *, json: bool, quiet: bool, debug: bool) -> None:
        self._json = json
        self._quiet = quiet
        self._debug = debug
        self._bar: _Bar | None = None
        self._failed: list[str] = []
        self._n_failed = 0
        self._n_files = 0
        self._n_inputs = 0
        self._n_planned = 0
        self._suffixes: set[str] = set()
        self._settings: dict[str, Any] = {}

    @contextmanager
    def progress(self, total: int) -> Iterator[None]:
        """A progress bar for `total` pictures while the block runs, on terminals only."""
        on_screen = self._json and sys.stdout is not None and sys.stdout.isatty()
        if self._quiet or on_screen or not Talk().isatty():
            yield
            return
        with _Bar(total) as self._bar:
            yield
        self._bar = None

    def note(self, line: str) -> None:
        """A line of talk between those of the events, from any thread."""
        self._talk(line)

    def show(self, event: Event) -> None:
        """Show one event."""
        from enhance_cli.batch import progress

        if isinstance(event, progress.TileDone):
            if self._bar:
                self._bar.tile(event)
            return
        if self._json:
            data(event.to_json())
        if isinstance(event, progress.Start):
            self._start(event)
        elif isinstance(event, progress.FileDone):
            self._file(event)
        else:
            self._summary(event)

    def _start(self, event: Start) -> None:
        self._settings = event.settings
        self._n_inputs = event.inputs
        names = ", ".join(one.name for one in event.weights)
        if event.device:
            self._talk(f"{event.task} with {names} on {event.device} ({event.backend}, {event.precision})")
        if event.ensemble:
            self._talk("note: results are averaged over flips and turns, eight times the work")
        for one in event.weights:
            if one.recognised:
                self._talk(f"{one.name} is {one.recognised}")
        for note in event.notes:
            self._talk(f"note: {note}")

    def _file(self, event: FileDone) -> None:
        self._n_files += 1
        self._n_planned += event.status == "skipped"
        self._suffixes.add(PurePath(event.output).suffix.lower())
        if self._bar:
            self._bar.file()
        if event.status == "failed":
            error = event.error or ""
            line = error if event.input in error else f"{event.input}: {error}"
            self._n_failed += 1
            self._failed = [*self._failed, line][:NAMED_FAILURES]
            self._print(visible(f"failed {line}"))
            if self._debug and event.cause:
                self._print("".join(traceback.format_exception(event.cause)).rstrip())
        elif event.status != "current" or event.metrics:
            self._talk(_describe(event))
        for warning in event.warnings:
            self._talk(f"warning: {event.input}: {warning}")

    def _summary(self, event: Summary) -> None:
        for line in _figures(event.metrics, event.baseline):
            self._talk(f"mean {line}")
        planned = f"{self._n_planned} to write, " if self._n_planned else ""
        left_out = f"{event.skipped - self._n_planned} skipped, {event.failed} failed"
        counts = f"{event.done} done, {planned}{event.current} current, {left_out}"
        stopped = "interrupted: " if event.interrupted else ""
        self._talk(f"{stopped}{counts}; {event.seconds:.1f} s, {event.megapixels:.1f} megapixels")
        if self._n_files < self._n_inputs:
            again = " (with --overwrite it begins anew)" if self._settings.get("overwrite") else ""
            left = f"{self._n_inputs - self._n_files} of {self._n_inputs} pictures were not done"
            self._talk(f"{left}: the same command goes on with them{again}")
        if event.done > 1:
            self._talk(self._stages(event))
        if self._n_files > NAMED_FAILURES:
            for line in self._failed:
                self._talk(f"  failed {line}")
            if self._n_failed > NAMED_FAILURES:
                self._talk(f"  and {self._n_failed - NAMED_FAILURES} more")

    def _stages(self, event: Summary) -> str:
        """How long each stage took, and what would help where the network waited for another."""
        spent, jobs = event.stages, self._settings.get("jobs", 1)
        words = [f"reading {spent.read:.1f} s, network {spent.restore:.1f} s, writing {spent.write:.1f} s"]
        more = [f"--jobs {jobs + 1}"] if jobs < (os.cpu_count() or 1) else []
        easier = [
            f"--{key.replace('_', '-')} {fast}"
            for suffix, (key, fast) in FAST_SETTINGS.items()
            if suffix in self._suffixes and self._settings.get(key, fast) > fast
        ]
        for stage, waited, ways in (
            ("reading", event.waited.read, more),
            ("writing", event.waited.write, easier + more),
        ):
            if waited > LONG_WAIT * event.seconds:
                advice = f" (try {' or '.join(ways)})" if ways else ""
                words.append(f"waited {waited:.1f} s for {stage}{advice}")
        return "; ".join(words)

    def _talk(self, line: str) -> None:
        if not self._quiet:
            self._print(visible(line))

    def _print(self, line: str) -> None:
        if self._bar:
            self._bar.print(line)
        else:
            say(line)


def _describe(event: FileDone) -> str:
    # Left alone is a picture only in a dry run.
    status = "would write" if event.status == "skipped" else event.status
    words = [f"{status} {event.input} -> {event.output}"]
    if event.output_size:
        words.append(f"{event.output_size[0]}x{event.output_size[1]}")
    if event.frames:
        words.append(f"{event.frames} frames")
    if event.status == "done":
        spent = event.seconds
        words.append(f"{spent.read + spent.restore + spent.write:.1f} s")
    if event.damage is not None:
        words.append(
            "nothing to mend found, left as it is" if event.damage.kind == "none" else str(event.damage)
        )
    elif event.condition is not None and event.condition_from != "asked":
        words.append(f"strength {event.condition:.3g} ({event.condition_from})")
    return "  ".join([*words, *_figures(event.metrics, event.baseline)])


def _figures(metrics: Metrics | None, baseline: Metrics | None) -> list[str]:
    """In words: each figure, and in brackets that of the untreated picture."""
    if not metrics or not baseline:
        return []
    words = []
    for key, value in metrics.items():
        digits = 4 if key == "ssim" else 2
        label = {"psnr": "PSNR", "ssim": "SSIM", "psnr_b": "PSNR-B"}[key]
        words.append(f"{label} {value:.{digits}f} (untreated {baseline[key]:.{digits}f})")
    return ["  ".join(words)]


class _Bar:
    """All pictures, and the tiles of the current one."""

    def __init__(self, total: int) -> None:
        from rich.progress import MofNCompleteColumn, TimeRemainingColumn

        self._progress = progress_bar(MofNCompleteColumn(), TimeRemainingColumn())
        self._n_files = 0
        self._pictures: TaskID = self._progress.add_task("pictures", total=total)
        self._tiles: TaskID = self._progress.add_task("tiles", total=None, visible=False)

    def __enter__(self) -> _Bar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def file(self) -> None:
        self._n_files += 1
        self._progress.update(self._pictures, completed=self._n_files)

    def tile(self, event: TileDone) -> None:
        if event.done == 1:
            self._progress.reset(self._tiles, total=event.total, visible=event.total > 1)
        # rich cannot print undecodable bytes.
        name = event.input.encode(errors="replace").decode()
        self._progress.update(
            self._tiles,
            description=name if len(name) <= NAME_WIDTH else f"...{name[3 - NAME_WIDTH :]}",
            completed=event.done,
            visible=1 < event.total != event.done,
        )
        # So that the time left is known before the first large picture is through.
        part = event.done / (event.total + 1)
        self._progress.update(self._pictures, completed=self._n_files + part)

    def print(self, line: str) -> None:
        self._progress.console.print(line, markup=False, highlight=False, soft_wrap=True)
