"""Put trained weights on the shelf: check a file, copy it to weights/ and write its catalog entry.

    python tools/publish.py FILE.safetensors --summary "one line" [--tier fast|default|best|photo]

The entry's name is the recipe's; an entry of that name is replaced. Scores come afterwards: `make cards`.
"""

from __future__ import annotations

import argparse
import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from enhance_cli.checkpoints.catalog import TIERS, Weights, read_catalog
from enhance_cli.checkpoints.reader import LoadedNet, load_file
from enhance_cli.tasks import TASKS

SHELF = Path(__file__).parents[1] / "weights"
CATALOG = SHELF / "catalog.toml"
HEADER = "# Written by tools/publish.py: one table per weights file, ordered by task, scale and name.\n"


def main() -> None:
    """Publish the file named on the command line."""
    parser = argparse.ArgumentParser(description="Publish trained weights in weights/.")
    parser.add_argument("file", type=Path)
    parser.add_argument("--summary", help="one line for `enhance models list` [keep the old one]")
    parser.add_argument("--tier", choices=TIERS, help="what --model finds it by [keep the old one]")
    wish = parser.parse_args()
    net = load_file(wish.file)
    known = {weights.name: weights for weights in read_catalog(CATALOG)} if CATALOG.exists() else {}
    name = json.loads(net.metadata["recipe"])["name"]
    old = known.get(name)
    record = record_of(net, name, wish.summary or (old.summary if old else ""))
    known[name] = replace(record, tier=wish.tier or (old.tier if old else None))
    shutil.copyfile(wish.file, SHELF / record.file)
    write_catalog(known.values())


def record_of(net: LoadedNet, name: str, summary: str) -> Weights:
    """The catalog entry that a loaded file tells of itself."""
    if not summary:
        raise SystemExit(f"{name} is new: give it a --summary")
    recipe = json.loads(net.metadata["recipe"])
    ranges = {"sigma": recipe["sigma"], "quality": recipe["quality"], None: None}[net.spec.condition]
    return Weights(
        name=name,
        file=f"{name}.safetensors",
        sha256=net.sha256,
        arch=net.arch,
        task=net.task,
        scale=net.spec.scale,
        colour=net.spec.colour,
        condition_range=tuple(ranges) if ranges else None,
        licence=net.licence or "MIT",
        parameters=sum(parameter.numel() for parameter in net.module.parameters()),
        summary=summary,
    )


def write_catalog(records: Any) -> None:
    """Write all records; keys without a value are left out."""
    ordered = sorted(records, key=lambda w: (list(TASKS).index(w.task), w.scale, w.name))
    tables = [
        "\n".join(["[[weights]]", *(f"{k} = {json.dumps(v)}" for k, v in asdict(w).items() if v is not None)])
        for w in ordered
    ]
    CATALOG.write_text(HEADER + "\n" + "\n\n".join(tables) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
