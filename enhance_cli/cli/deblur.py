"""`enhance deblur`: motion blur removal."""

from __future__ import annotations

from enhance_cli.cli.options import Common, Paths, task_command


@task_command
def deblur(inputs: Paths, *, common: Common) -> None:
    """Remove motion blur."""
    from enhance_cli.cli.restore import restore

    restore("deblur", inputs, common)
