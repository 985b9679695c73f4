"""What does a decibel cost? Seconds and scores of every shipped weights file, as tables and as a plot.

    python benchmarks/tradeoff.py [--threads 2] [--write]       # minutes

Seconds are those in which `enhance` restores a picture, the best of several; scores are those of
weights/scores.json, as `make cards` wrote them. --write leaves tradeoff.md and tradeoff.svg in benchmarks/.
"""

import argparse
import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from child import REPO
from machine import described
from scatter import Panel, Point, drawn
from shipped import Weights, shipped, speed

HERE = Path(__file__).parent
NOTES = """\
**s/MP**: seconds for a megapixel of the result, of the stage that restores. **dB**: mean PSNR over the set,
of luma for super-resolution. **On the curve**: nothing that is as fast is as good.

![decibels over seconds](tradeoff.svg)
"""


@dataclass(frozen=True)
class Headline:
    """A set and setting by which the weights of a task are judged."""

    title: str
    dataset: str
    setting: str
    gray: bool = False
    scale: int = 1


HEADLINES = (
    Headline("Super-resolution x2, Set5", "Set5", "x2", scale=2),
    Headline("Super-resolution x3, Set5", "Set5", "x3", scale=3),
    Headline("Super-resolution x4, Set5", "Set5", "x4", scale=4),
    Headline("JPEG quality 10, gray, Classic5", "Classic5", "q10", gray=True),
    Headline("JPEG quality 10, colour, LIVE1", "LIVE1", "q10 rgb"),
    Headline("Noise sigma 25, gray, BSD68", "BSD68", "sigma 25", gray=True),
    Headline("Noise sigma 25, colour, CBSD68", "CBSD68", "sigma 25"),
    Headline("Motion blur, Set14", "Set14", "motion"),
    Headline("Bayer mosaic, CBSD68", "CBSD68", "bayer"),
)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--megapixels", type=float, default=0.3, help="of what goes into the network")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    scores = json.loads((REPO / "weights" / "scores.json").read_text())
    facts = [*described(), f"{date.today()}, threads: {options.threads}"]
    text = "\n".join(["# Decibels and seconds", "", *(f"- {fact}" for fact in facts), "", NOTES])
    print(text, flush=True)
    panels = []
    with tempfile.TemporaryDirectory() as name:
        # What `enhance` knows of backends is found anew.
        os.environ["XDG_CACHE_HOME"] = name
        weights = shipped()
        parameters = {one.name: one.parameters for one in weights}
        for headline in HEADLINES:
            panels.append(measured(headline, weights, scores, options))
            section = table(panels[-1], parameters)
            print(section, flush=True)
            text += f"\n{section}"
    if options.write:
        (HERE / "tradeoff.md").write_text(text)
        (HERE / "tradeoff.svg").write_text(drawn(panels, "seconds a megapixel"))


def measured(
    headline: Headline, weights: Sequence[Weights], scores: dict[str, Any], options: argparse.Namespace
) -> Panel:
    """What all weights that were scored there take and gain, and what the input has."""
    found = {}
    for one in weights:
        rows = scores.get(one.name, {}).get("rows", [])
        row = next(
            (r for r in rows if (r["dataset"], r["setting"]) == (headline.dataset, headline.setting)), None
        )
        if row is None:
            continue
        # The leading metric is named first.
        metric = next(iter(row["metrics"]))
        scale = headline.scale if one.scale == 1 else 1
        taken = speed(one, options.threads, megapixels=options.megapixels, gray=headline.gray, scale=scale)
        if taken:
            found[one.name] = (taken.seconds, row["metrics"][metric])
            found[row["baseline"]["name"]] = (0.0, row["baseline"][metric])
    by_speed = sorted(found.items(), key=lambda item: item[1])
    points = [Point(name, *at, on_curve=not _dominated(at, list(found.values()))) for name, at in by_speed]
    return Panel(headline.title, points)


def _dominated(at: tuple[float, float], all_of_them: Sequence[tuple[float, float]]) -> bool:
    return any(other != at and other[0] <= at[0] and other[1] >= at[1] for other in all_of_them)


def table(panel: Panel, parameters: dict[str, int]) -> str:
    """In the order of the plot."""
    lines = [
        f"## {panel.title}",
        "",
        "| weights | parameters | s/MP | dB | on the curve |",
        "|---|---|---|---|---|",
    ]
    for point in panel.points:
        count = f"{parameters[point.name]:,}" if point.name in parameters else ""
        seconds = f"{point.seconds:.2f}" if point.seconds else "0"
        cells = [point.name, count, seconds, f"{point.decibels:.2f}", "yes" if point.on_curve else ""]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()
