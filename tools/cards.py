"""Score the shipped weights with `enhance bench`, draw what they do, write their cards, weights/README.md.

    python tools/cards.py --data-root DIR [--dataset NAME]... [WEIGHTS...]

Without names, every weights file whose bytes have changed since it was last scored is scored and drawn anew;
without --dataset on the usual sets of its task and colour. Scores are kept in weights/scores.json, pictures
in docs/pictures/.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pictures

from enhance_cli.bench.protocols.choice import usual
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
PROTOCOLS = {("sr", "rgb"): ("matlab-y", "photo"), ("dejpeg", "rgb"): ("jpeg-rgb", "jpeg-photo")}
"""By which it is scored, where the usual protocol of its task is not all."""
SCORED = {
    "unet-denoise-camera": (("real", ("PolyU",)), ("camera-noise", ("CBSD68",))),
    "unet-deblur-shake": (("levin", ("Set14",)), ("shake", ("BSD100",)), ("motion", ("BSD100", "Set14"))),
}
"""Protocols and their sets, for weights that are made for other damage than their task's usual one."""
QUALITIES = "10,20,30,40,75,90,95"
"""The papers', and those of JPEGs as cameras and the web write them: for what people run unasked."""
CLEAN = {
    ("dejpeg", "rgb"): ("LIVE1", "Set14"),
    ("dejpeg", "y"): ("Classic5", "Set12"),
    ("denoise", "gray"): ("BSD68", "Set12"),
    ("denoise", "rgb"): ("CBSD68", "Set14"),
    ("deblur", "gray"): ("BSD100", "Set14"),
    ("deblur", "rgb"): ("BSD100", "Set14"),
}
"""Where it is measured what a model does to pictures that need nothing."""
HEAD = """# Model cards

Written by `tools/cards.py` from the catalog, from what each weights file says of itself and from
`enhance bench`; do not edit by hand. Scores are means over the set, PSNR in dB, by the protocols of
[docs/protocols.md](../docs/protocols.md). Any line comes back with

    enhance bench --model NAME --dataset SET --data-root DIR

and those of other JPEG qualities than the papers', or of photographs, with the options that their setting
names: `--quality 75,90,95`, `--protocol photo`, `--protocol jpeg-photo`.

"On clean pictures" tells what the model does to a picture that needs nothing, with the strength that
`enhance` finds unasked: PSNR between result and input, mean of the set and the picture that suffers most.
What super-resolution and demosaicing get always lacks something, so they have no such figure.

    enhance bench --model NAME --protocol clean --dataset SET --data-root DIR

The pictures are crops of [our examples](../examples/ATTRIBUTION.md), three times enlarged: untreated (for
super-resolution bicubic, for mosaics bilinear), result, original; models for photographs stand beside the
usual one. Damage: the model's enlargement, JPEG of
quality 10, noise of sigma 25, motion blur, or the mosaic; for photo models all that befalls photographs.
Known failures were seen in crops of the test sets, of ten or more pictures for each task.

All weights were trained by `enhance train` from the recipe named, on pictures that no test set holds:
`pack_a` is BSDS500 train and test without two leaks (terms: non-commercial research and education) and
T91 (terms unknown); `pack_b` is Sun-Hays80 and wallpapers (mixed terms);
`pack_c` is the training part of CID22 and photographs under free licences (terms for each picture).
No weights of others were used.
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
    **dict.fromkeys(
        ("compact-sr-x2-photo", "compact-sr-x4-photo"),
        "Trained on pictures that were blurred, noisy and compressed: takes what is fine and weak for noise, "
        "and is worse than bicubic on clean pictures that were only shrunk.",
    ),
    "unet-dejpeg-photo": "Trained on noisy pictures that were resized and compressed twice: takes grain for "
    "noise, and changes clean pictures more than the usual weights do.",
    "unet-denoise-camera": "Trained on noise drawn as cameras leave it, not on pairs of any camera; "
    "what is as fine and weak as the noise, such as cloth and grain, is smoothed along with it.",
    "unet-deblur-shake": "Trained on drawn shake of up to 31 pixels and on defocus, for a first few hours: "
    "long paths are hardly undone, and short straight ones less than by unet-deblur.",
    "demosaic": "Trained on clean 8-bit pictures with a Bayer mosaic: raw files need white balance and gamma "
    "first, and noise is kept.",
}
FAILURES = {
    "sr": "Letters less than about 12 pixels high in the result become smears. Lines that repeat every few "
    "pixels (cloth, rows of windows, boards) vanish, break, or come back with a wrong distance or "
    "direction, some with false colour. Leaves, straw and fur look painted, and skin loses its pores.",
    "compact-sr-x4-photo": "Looks painted: leaves, fur, grass and skin become smooth areas between clear "
    "edges; letters less than about twenty pixels high in the result and narrow stripes come back bent or "
    "not at all; where blocks of the JPEG have lost a colour it stays wrong.",
    "compact-sr-x2-photo": "Grain goes, and with it what is as weak: ripples, freckles, stripes of cloth, "
    "feathers and hair become smooth between clear edges. Where blocks of the JPEG have lost a colour it "
    "stays wrong. A clean picture comes out softer than by bicubic.",
    "compact-sr-x2": "Stripes of less than about four pixels to a period (cloth, roof tiles, boards) vanish "
    "or come back in a wrong direction, some with false colour; letters six pixels high are hard to "
    "read; leaves and grass are softer than they were.",
    "compact-sr-x3": "Letters less than about 12 pixels high in the result are hard to read. Narrow stripes "
    "vanish or come back slanted (cloth, roof tiles), window frames bend, and leaves and straw look "
    "painted.",
    "aim-sr": "Hardly sharper than bicubic after so short a training; slanted stripes stay jagged, small "
    "letters unreadable.",
    "dejpeg": "At quality 10 colours that a block has lost stay wrong: yellow, green or violet patches on "
    "walls and skies, blotches in skin, fringes around coloured letters, red without detail. Stripes "
    "come back only in the blocks that kept them; grass, hair and brick turn flat, and among leaves the "
    "blocks stay visible. At quality 30 fine texture is smoothed.",
    "unet-dejpeg-gray": "At quality 10 stripes come back only in the blocks that kept them, so that cloth "
    "looks patched; grass, brick and feathers turn flat or into strokes that were not there; in dark "
    "leaves the blocks stay visible.",
    "unet-dejpeg-photo": "Grain goes, and with it what is as weak: thin ropes and wires, boards of far "
    "walls, ripples and grass become smooth. Colours that a block has lost stay wrong, in skies as faint "
    "patches.",
    "aim-dejpeg": "After so short a training blocks are softened rather than removed: at quality 10 they "
    "stay visible in texture, in stripes and on slopes of brightness.",
    "denoise": "At sigma 25 weak texture goes: hair, brick, roof tiles and grass turn flat or streaky. "
    "White backgrounds of noisy files turn a little gray, and strong red and magenta (letters, also in "
    "a clean picture) are dulled. Grain and dense fur in a clean picture are partly taken for noise. At "
    "sigma 50 fine nets and stripes are gone, and square patches can show in flat red.",
    "unet-denoise-gray": "At sigma 25 weak texture goes: brick, straw hats and far leaves turn flat, lawns "
    "get streaks and swirls that were not there, thin wires are lost in part, narrow stripes become "
    "uneven.",
    "ffdnet-denoise-gray": "At sigma 25 down, grass, brick and faint carved lines are smoothed away, windows "
    "and roofs far off become soft, and dim walls get shallow blotches.",
    "unet-denoise-camera": "Cloth and fur lose part of their weakest texture, and dense texture without any "
    "noise (the fur of baboon, the stripes of zebra) is partly taken for it. Blotches of colour larger than "
    "about ten pixels stay.",
    "unet-deblur-shake": "Blurs of ten pixels and more stay nearly as they are, or get a little crisper "
    "with faint echoes of edges.",
    "deblur": "Each colour is deblurred by itself: fine stripes and checks can turn purple and yellow, even "
    "in a picture that was sharp, and edges can carry green or magenta fringes. Backgrounds out of "
    "focus are sharpened into texture that was not there. Lines that the blur has wiped out (boards, "
    "tiles, wood grain) stay lost or become a scrawl; letters keep a faint ghost.",
    "unet-deblur-rgb": "Edges between strong colours of like brightness (petals, fruit, red and cyan "
    "letters) keep part of their blur, sometimes as a soft fringe. Lines that the blur has wiped out "
    "(boards, tiles, wood grain) stay lost or become a scrawl, fine fur and gravel turn smoother than they "
    "were, and letters keep a faint ghost.",
    "demosaic": "Thin strokes of one strong colour, such as magenta or orange letters on white, come out "
    "dark and dotted, and a chequer of single pixels can stay where two strong colours meet.",
}
"""What was seen, by the name of the weights, else by task."""


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
            rows = list(score(weights, wish.dataset, wish.data_root))
            harm = list(harms(weights, wish.data_root))
            scores[weights.name] = {"sha256": weights.sha256, "rows": rows, "clean": harm}
            pictures.draw(weights)
            kept = {name: scores[name] for name in known if name in scores}
            SCORES.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    cards = [card(weights, scores.get(weights.name)) for weights in known.values()]
    (SHELF / "README.md").write_text("\n".join([HEAD, *cards]), encoding="utf-8")


def score(weights: Weights, asked: Sequence[str] | None, root: Path | None) -> Iterator[dict[str, Any]]:
    """The bench rows of one model, without single pictures; `asked`: sets in place of the usual ones."""
    kind = weights.task, weights.colour
    usual_ones = [(protocol, SETS[kind]) for protocol in PROTOCOLS.get(kind, (usual(weights.task),))]
    scale = ["--scale", str(weights.scale)] if weights.scale > 1 else []
    quality = ["--quality", QUALITIES] if weights.task == "dejpeg" and weights.tier else []
    for protocol, sets in SCORED.get(weights.name, usual_ones):
        for row in bench(weights, asked or sets, root, "--protocol", protocol, *scale, *quality):
            yield {key: row[key] for key in ("dataset", "setting", "images", "metrics", "baseline")}


def harms(weights: Weights, root: Path | None) -> Iterator[dict[str, Any]]:
    """What the model does to clean pictures: for each set the mean PSNR, and the picture of the least."""
    sets = CLEAN.get((weights.task, weights.colour))
    for row in bench(weights, sets, root, "--protocol", "clean") if sets else ():
        # A picture that comes back as it was has no PSNR.
        changed = [one for one in row["per_image"] if one["metrics"]["psnr"] is not None]
        worst = min(changed, key=lambda one: one["metrics"]["psnr"], default=row["per_image"][0])
        yield {
            "dataset": row["dataset"],
            "psnr": row["metrics"]["psnr"],
            "worst": {"image": worst["image"], "psnr": worst["metrics"]["psnr"]},
        }


def bench(
    weights: Weights, sets: Sequence[str], root: Path | None, *options: str
) -> Iterator[dict[str, Any]]:
    """The `row` events of `enhance bench` for one model."""
    command = [sys.executable, "-m", "enhance_cli", "bench", "--json", "--model", weights.name]
    command += ["--task", weights.task, *(f"--dataset={name}" for name in sets), *options]
    command += ["--data-root", str(root)] if root else []
    for line in subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines():
        row = json.loads(line)
        if row["event"] == "row" and row["model"] == weights.name:
            yield row


def card(weights: Weights, scored: dict[str, Any] | None) -> str:
    """One model's section."""
    net = load_weights(weights)
    told = net.metadata
    made, data = json.loads(told["training"]), json.loads(told["data"])
    strength = f", strength {weights.condition_range}" if weights.condition_range else ""
    known = scored if scored and scored["sha256"] == weights.sha256 else {}
    rounding = json.loads(told["metrics"]).get("float16_costs")
    shown = [one.name for one in pictures.shown_by(weights)]
    clean = ", ".join(map(_harm, known.get("clean", ())))
    lines = [
        f"## {weights.name}",
        "",
        f"{weights.summary}. Found by `--model {weights.name}`{_tier(weights)}.",
        "",
        f"- {weights.arch} {json.dumps(net.parameters)}, {weights.parameters:,} parameters, "
        f"{weights.colour}{strength}; licence {weights.licence}; sha256 `{weights.sha256[:16]}`",
        f"- recipe `recipes/{weights.name}.toml` at commit {told['commit']}: {made['iterations']:,} steps in "
        f"{made['seconds'] / 60:.0f} minutes, {made['device']}, {made['threads']} thread(s), "
        f"{made['precision']}, torch {made['torch']}"
        + (f"; keeping it as float16 costs {rounding:.4f} dB of validation" if rounding is not None else ""),
        f"- data: {', '.join(data['packs'])}, {data['pictures']} pictures (sha256 `{data['sha256'][:16]}`); "
        f"started from {_origin(told['init'])}" + _averaged(told.get("averaged", "[]")),
        f"- limits: {LIMITS.get(weights.name, LIMITS[weights.task])}",
        f"- known failures: {FAILURES.get(weights.name, FAILURES[weights.task])}",
        *([f"- on clean pictures: {clean}"] if clean else []),
        "",
        f"![untreated, {', '.join(shown)}, original](../docs/pictures/{pictures.path_of(weights).name})",
        "",
        *(_table(known["rows"]) if known else ["Not scored yet."]),
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


def _averaged(text: str) -> str:
    files = [f"`{sha256[:16]}`" for sha256 in json.loads(text)]
    return f"; the mean of {' and '.join(files)}, of which this is the last one's making" * bool(files)


def _harm(told: dict[str, Any]) -> str:
    mean = math.inf if told["psnr"] is None else told["psnr"]
    worst = told["worst"]
    return f"{told['dataset']} {mean:.2f} dB, at worst {worst['psnr']:.2f} ({worst['image']})"


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
