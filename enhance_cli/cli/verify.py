"""`enhance verify`: whether outputs are still what was written."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from enhance_cli.cli import console
from enhance_cli.cli.options import Debug, Json, Quiet, Recursive
from enhance_cli.errors import EnhanceError


def verify(
    paths: Annotated[
        list[str],
        typer.Argument(metavar="PATH", show_default=False, help="Folders of outputs, or single outputs."),
    ],
    recursive: Recursive = True,
    json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Compare outputs with their records: which are intact, changed, missing, or unknown."""
    from enhance_cli.batch.verify import verify as compare

    counts = Counter[str]()
    for one in compare([Path(path) for path in paths], recursive=recursive):
        counts[one.status] += 1
        if json:
            told = {"output": one.output, "status": one.status, "error": one.error}
            console.event("verified", {key: value for key, value in told.items() if value is not None})
        elif one.status != "intact":
            console.data(console.visible(f"{one.status:<7}  {one.error or one.output}"))
    summary = {status: counts[status] for status in ("intact", "changed", "missing", "failed", "unknown")}
    if json:
        console.event("summary", summary)
    wrong = counts["changed"] + counts["missing"] + counts["failed"]
    if not counts["intact"] and not wrong:
        raise EnhanceError(f"no records found in {' '.join(paths)}; name the folder of the outputs")
    if not quiet:
        console.say(", ".join(f"{count} {status}" for status, count in summary.items()))
    if wrong:
        raise typer.Exit(3 if counts["intact"] else 1)
