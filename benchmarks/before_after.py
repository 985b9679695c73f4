"""Has anything become slower? Seconds of every shipped weights file, at an older commit and now, in turns.

    python benchmarks/before_after.py COMMIT [--threads 2] [--rounds 3] [--write benchmarks/before_after.md]

Both run the weights of now, by their own default backend.
"""

import argparse
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from child import REPO
from machine import described
from shipped import Speed, Weights, shipped, speed


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("commit")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--megapixels", type=float, default=0.3, help="of what goes into the network")
    parser.add_argument("--only", default="", help="weights whose name holds this")
    parser.add_argument("--write", type=Path, metavar="FILE")
    options = parser.parse_args()
    lines = [
        "# Before and after",
        "",
        *(f"- {line}" for line in described()),
        f"- before: commit {_git('rev-parse', '--short', options.commit)}; threads: {options.threads}",
        "- seconds for a megapixel of the result, of the stage that restores, and the backend `auto` took",
        "",
        "| weights | before | backend | now | backend | times as fast |",
        "|---|---|---|---|---|---|",
    ]
    print("\n".join(lines), flush=True)
    with tempfile.TemporaryDirectory() as name, worktree(Path(name) / "old", options.commit) as old:
        for weights in shipped(options.only):
            lines.append(row(weights, old, options))
            print(lines[-1], flush=True)
    if options.write:
        options.write.write_text("\n".join([*lines, ""]))


@contextmanager
def worktree(folder: Path, commit: str) -> Iterator[Path]:
    """That commit's files, for as long as they are needed."""
    _git("worktree", "add", "--detach", "--force", str(folder), commit)
    try:
        yield folder
    finally:
        _git("worktree", "remove", "--force", str(folder))


def row(weights: Weights, old: Path, options: argparse.Namespace) -> str:
    """A line of the table."""
    best: list[Speed | None] = [None, None]
    # For weights that serve any scale.
    scale = 2 if weights.task == "sr" and weights.scale == 1 else 1
    for _ in range(options.rounds):
        for i, repo in enumerate((old, REPO)):
            # Neither is to know what the other found out about backends.
            os.environ["XDG_CACHE_HOME"] = str(old.parent / f"cache-{i}")
            found = speed(
                weights,
                options.threads,
                megapixels=options.megapixels,
                gray=weights.colour != "rgb",
                scale=scale,
                repo=repo,
            )
            best[i] = min(filter(None, (best[i], found)), key=lambda one: one.seconds, default=None)
    before, now = best
    cells = [cell for one in best for cell in ((f"{one.seconds:.3f}", one.backend) if one else ("fails", ""))]
    ratio = f"{before.seconds / now.seconds:.2f}" if before and now else ""
    return f"| {' | '.join([weights.name, *cells, ratio])} |"


def _git(*arguments: str) -> str:
    return subprocess.run(
        ["git", "-C", REPO, *arguments], check=True, capture_output=True, text=True
    ).stdout.strip()


if __name__ == "__main__":
    main()
