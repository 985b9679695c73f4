"""Writes the shell completion scripts: `python -m enhance_cli.cli.completions [FOLDER]`."""

from __future__ import annotations

import sys
from pathlib import Path

from typer.completion import get_completion_script

FILES = {"bash": "enhance.bash", "zsh": "_enhance", "fish": "enhance.fish"}


def script(shell: str) -> str:
    """The script for "bash", "zsh" or "fish"; it asks `enhance` itself what may follow."""
    text: str = get_completion_script(prog_name="enhance", complete_var="_ENHANCE_COMPLETE", shell=shell)
    return text + "\n"


def write(folder: Path) -> None:
    """Write all scripts into an existing folder."""
    for shell, name in FILES.items():
        (folder / name).write_text(script(shell), encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1] if len(sys.argv) > 1 else "completions"))
