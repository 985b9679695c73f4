"""`enhance denoise`: noise removal."""

from __future__ import annotations

from typing import Annotated

import typer

from enhance_cli.cli.options import Common, Paths, condition, task_command


@task_command
def denoise(
    inputs: Paths,
    sigma: Annotated[
        str,
        typer.Option(metavar="N|auto", help="Noise sigma on the 0..255 scale; auto: estimated per picture."),
    ] = "auto",
    *,
    common: Common,
) -> None:
    """Remove noise."""
    from enhance_cli.cli.restore import restore

    restore("denoise", inputs, common, condition=condition("sigma", sigma))
