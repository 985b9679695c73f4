"""The files that a run of the benchmark leaves behind."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from enhance_cli.bench.gates import MissedGate
from enhance_cli.bench.plan import PlannedRow
from enhance_cli.bench.report import Row
from enhance_cli.bench.reports.html import HtmlReport
from enhance_cli.bench.reports.junit import to_junit
from enhance_cli.bench.reports.tables import to_csv, to_markdown
from enhance_cli.bench.run import ShownPictures
from enhance_cli.errors import UsageError
from enhance_cli.imaging.files import write_atomic


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """Which reports are written, and where."""

    csv: Path | None = None
    markdown: Path | None = None
    junit: Path | None = None
    html: Path | None = None
    """A folder."""
    command: str = ""
    """The command line, for the page."""

    def check(self, baseline: Path | None = None) -> None:
        """Raise UsageError, before anything is computed, for places where no file can be.

        `baseline` is to be written as well.
        """
        files = [path for path in (self.csv, self.markdown, self.junit, baseline) if path is not None]
        for path in files:
            if files.count(path) > 1:
                raise UsageError(f"{path} is named for two reports; give each a file of its own")
            if path.is_dir():
                raise UsageError(f"{path} is a folder; name a file for the report")
            if not (path.parent.is_dir() and os.access(path.parent, os.W_OK)):
                raise UsageError(f"no report can be written into {path.parent}; name another place")
        if self.html is not None:
            there = next(one for one in (self.html, *self.html.absolute().parents) if one.exists())
            if not (there.is_dir() and os.access(there, os.W_OK)):
                raise UsageError(f"no page can be written into {self.html}; name another folder")

    def show(self, planned: PlannedRow, shown: ShownPictures) -> None:
        """Take note of the pictures behind a score."""
        if self._page:
            self._page.on_shown(planned, shown)

    def write(self, rows: Sequence[Row], missed: Sequence[MissedGate]) -> tuple[Path, ...]:
        """Write all reports, each whole or not at all; raises WriteError if one cannot be written."""
        texts = {
            self.csv: lambda: to_csv(rows),
            self.markdown: lambda: to_markdown(rows),
            self.junit: lambda: to_junit(rows, missed),
        }
        written = []
        for path, text in texts.items():
            if path is not None:
                write_atomic(path, text().encode())
                written.append(path)
        if self._page:
            written.append(self._page.finish(rows, missed))
        return tuple(written)

    @cached_property
    def _page(self) -> HtmlReport | None:
        return None if self.html is None else HtmlReport(self.html, command=self.command)
