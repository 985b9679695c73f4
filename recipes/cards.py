"""Score the shipped weights with `enhance bench` and write their model cards, weights/README.md.

    python recipes/cards.py --data-root DIR [--dataset NAME]... [WEIGHTS...]

Without names, every weights file whose bytes have changed since it was last scored is scored anew; without
--dataset on the usual sets of its task and colour. Scores are kept in weights/scores.json.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from enhance_cli.checkpoints.catalog import Weights, catalog
from enhance_cli.checkpoints.reader import load_weights

SHELF = Path(__file__).parents[1] / "weights"
SCORES = SHELF / "scores.json"
SETS = {
    ("sr", "rgb"): ("Set5", "Set14", "BSD100"),
    ("sr", "y"): ("Set5",),
    ("dejpeg", "rgb"): ("LIVE1",),
    ("dejpeg", "y"): ("Classic5", "LIVE1"),
    ("denoise", "gray"): ("BSD68", "Set12"),
    ("denoise", "rgb"): ("CBSD68",),
    ("deblur", "gray"): ("Set14", "BSD100"),
    ("deblur", "rgb"): ("Set14", "BSD100"),
    ("demosaic", "rgb"): ("CBSD68", "Set14"),
}
"""What a model is scored on unasked, by task and colour; luma networks are slow ones so far."""
HEAD = """# Model cards

Written by `recipes/cards.py` from the catalog, from what each weights file says of itself and from
`enhance bench`; do not edit by hand. Scores are means over the set, PSNR in dB, by the protocols of
[docs/protocols.md](../docs/protocols.md). Any line comes back with

    enhance bench --model NAME --dataset SET --data-root DIR

All weights were trained by `enhance train` from the recipe named, on pictures that no test set holds:
`pack_a` is BSDS500 train and test without two leaks (terms: non-commercial research and education) and
T91 (terms unknown); `pack_b` is Sun-Hays80 and wallpapers (mixed terms). No weights of others were used.
"""
LIMITS = {
    "sr": "Trained on clean bicubic-shrunk pictures: JPEG blocks and noise in the input are enlarged too; "
    "run `enhance dejpeg` or `enhance denoise` first.",
    "dejpeg": "Pictures compressed twice, or shrunk after compression, keep part of their artefacts; "
    "fine texture that the encoder erased does not come back.",
    "denoise": "Trained on white Gaussian noise: the blotchy noise of camera JPEGs is only partly removed. "
    "Too high a sigma smooths texture.",
    "deblur": "Trained on seeded uniform motion blur of 3 to 10 pixels; blur that varies over the picture, "
    "strong noise and defocus are only partly undone.",
    "demosaic": "Trained on clean 8-bit pictures with a Bayer mosaic: raw files need white balance and gamma "
    "first, and noise is kept.",
}


def main() -> None:
    """Score what is new, then write the cards."""
    parser = argparse.ArgumentParser(description="Score weights and write their model cards.")
    parser.add_argument("names", nargs="*")
    parser.add_argument("--dataset", action="append")
    parser.add_argument("--data-root", type=Path)
    wish = parser.parse_args()
    scores = json.loads(SCORES.read_text()) if SCORES.exists() else {}
    known = {weights.name: weights for weights in catalog()}
    for weights in known.values():
        stale = scores.get(weights.name, {}).get("sha256") != weights.sha256
        if weights.name in wish.names or (stale and not wish.names):
            rows = list(score(weights, wish.dataset or SETS[weights.task, weights.colour], wish.data_root))
            scores[weights.name] = {"sha256": weights.sha256, "rows": rows}
            kept = {name: scores[name] for name in known if name in scores}
            SCORES.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    cards = [card(weights, scores.get(weights.name)) for weights in known.values()]
    (SHELF / "README.md").write_text("\n".join([HEAD, *cards]), encoding="utf-8")


def score(weights: Weights, sets: Sequence[str], root: Path | None) -> Iterator[dict[str, Any]]:
    """The bench rows of one model, without the figures of single pictures."""
    command = [sys.executable, "-m", "enhance_cli", "bench", "--json", "--model", weights.name]
    command += ["--task", weights.task, *(f"--dataset={name}" for name in sets)]
    command += ["--data-root", str(root)] if root else []
    if weights.task == "sr" and weights.scale > 1:
        command += ["--scale", str(weights.scale)]
    if weights.task == "dejpeg" and weights.colour == "rgb":
        command += ["--protocol", "jpeg-rgb"]
    for line in subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines():
        row = json.loads(line)
        if row["event"] == "row" and row["model"] == weights.name:
            yield {key: row[key] for key in ("dataset", "setting", "images", "metrics", "baseline")}


def card(weights: Weights, scored: dict[str, Any] | None) -> str:
    """One model's section."""
    net = load_weights(weights)
    told = net.metadata
    made, data = json.loads(told["training"]), json.loads(told["data"])
    strength = f", strength {weights.condition_range}" if weights.condition_range else ""
    lines = [
        f"## {weights.name}",
        "",
        f"{weights.summary}. Found by `--model {weights.name}`{_tier(weights)}.",
        "",
        f"- {weights.arch} {json.dumps(net.parameters)}, {weights.parameters:,} parameters, "
        f"{weights.colour}{strength}; licence {weights.licence}; sha256 `{weights.sha256[:16]}`",
        f"- recipe `recipes/{weights.name}.toml` at commit {told['commit']}: {made['iterations']:,} steps in "
        f"{made['seconds'] / 60:.0f} minutes, {made['device']}, {made['threads']} thread(s), "
        f"{made['precision']}, torch {made['torch']}",
        f"- data: {', '.join(data['packs'])}, {data['pictures']} pictures (sha256 `{data['sha256'][:16]}`); "
        f"started from {_origin(told['init'])}",
        f"- limits: {LIMITS[weights.task]}",
        "",
        *(_table(scored["rows"]) if scored and scored["sha256"] == weights.sha256 else ["Not scored yet."]),
        "",
    ]
    return "\n".join(lines)


def _tier(weights: Weights) -> str:
    if weights.tier is None:
        return " alone"
    return " and unasked" if weights.tier == "default" else f" and `--model {weights.tier}`"


def _origin(text: str) -> str:
    if text == "none":
        return "random weights"
    told = json.loads(text)
    return f"weights `{told['sha256'][:16]}` ({len(told['fresh_tensors'])} tensors fresh)"


def _table(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    names = list(rows[0]["metrics"])
    yield "| set | setting | input | " + " | ".join(names) + " | gain |"
    yield "|" + "---|" * (len(names) + 4)
    for row in rows:
        metrics, before = row["metrics"], row["baseline"][names[0]]
        figures = " | ".join(f"{metrics[n]:.{4 if 'ssim' in n else 2}f}" for n in names)
        place = f"{row['dataset']} | {row['setting']}"
        yield f"| {place} | {before:.2f} | {figures} | {metrics[names[0]] - before:+.2f} |"


if __name__ == "__main__":
    main()
