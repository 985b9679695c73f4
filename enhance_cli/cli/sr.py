"""`enhance sr`: super-resolution."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from enhance_cli.cli.options import Common, Paths, task_command
from enhance_cli.errors import UsageError

LARGEST = 8.0


@task_command
def sr(
    inputs: Paths,
    scale: Annotated[
        float | None,
        typer.Option(
            metavar="X",
            help="Enlargement, above 1; shipped models give up to 4, others to 8. [2, or what --model gives]",
            show_default=False,
        ),
    ] = None,
    size: Annotated[str | None, typer.Option(metavar="WxH", help="Exact output size instead.")] = None,
    *,
    common: Common,
) -> None:
    """Enlarge pictures."""
    from enhance_cli.cli.restore import restore

    if scale is not None and size is not None:
        raise UsageError("--scale and --size are both given; leave one out")
    if scale is not None and not 1 < scale <= LARGEST:
        raise UsageError(f"--scale {scale:g} is out of range; give a number above 1 and up to {LARGEST:g}")
    match = re.fullmatch(r"([1-9]\d*)[xX]([1-9]\d*)", size or "")
    if size is not None and not match:
        raise UsageError(f"--size {size!r} is no size; write it as width and height, such as 1920x1080")
    restore("sr", inputs, common, scale=scale, size=(int(match[1]), int(match[2])) if match else None)
