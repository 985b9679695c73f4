"""`enhance demosaic`: full colour from a Bayer mosaic."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from enhance_cli.cli.options import Common, Paths, task_command


@task_command
def demosaic(
    inputs: Paths,
    pattern: Annotated[
        Literal["auto", "rggb", "bggr", "grbg", "gbrg"],
        typer.Option(
            help="Colours of the first two pixels of the first two rows; auto sees it where the mosaic is "
            "stored in three channels with zeros between its samples."
        ),
    ] = "auto",
    *,
    common: Common,
) -> None:
    """Give raw Bayer mosaics, one sample per pixel, their full colours."""
    from enhance_cli.cli.restore import restore

    restore("demosaic", inputs, common, pattern=None if pattern == "auto" else pattern)
