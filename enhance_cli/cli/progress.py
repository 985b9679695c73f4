"""Progress bars on stderr."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, cast

from enhance_cli.cli.talk import Talk

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn


def progress_bar(*columns: ProgressColumn, show: bool = True) -> Progress:
    """A bar between its description and `columns`, on terminals only; it vanishes at its end."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    talk = Talk()

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        *columns,
        console=Console(file=cast("IO[str]", talk)),
        transient=True,
        # rich would send what goes to stdout, the data, to its own console.
        redirect_stdout=False,
        disable=not (show and talk.isatty()),
    )
