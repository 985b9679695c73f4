"""`enhance dejpeg`: JPEG artefact removal."""

from __future__ import annotations

from typing import Annotated

import typer

from enhance_cli.cli.options import Common, Paths, condition, task_command


@task_command
def dejpeg(
    inputs: Paths,
    quality: Annotated[
        str, typer.Option(metavar="N|auto", help="JPEG quality 1 to 100; auto: from the file's own tables.")
    ] = "auto",
    *,
    common: Common,
) -> None:
    """Remove JPEG artefacts."""
    from enhance_cli.cli.restore import restore

    restore("dejpeg", inputs, common, condition=condition("quality", quality))
