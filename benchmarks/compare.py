"""How fast is `enhance` beside other runtimes?  The same pictures and weights, in turns, in one run.

    python benchmarks/compare.py                       # below 15 minutes on two cores
    python benchmarks/compare.py --quick               # below 2 minutes
    python benchmarks/compare.py --only EDSR --count 20 --threads 1,2 --contender eager
    python benchmarks/compare.py --write benchmarks/compare.md

Every contender is a process of its own. Runtimes that are not installed are named and left out;
`pip install onnx onnxruntime openvino` brings all but OpenCV and torch, which come with `enhance`.
"""

import argparse
import os
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from datetime import date
from importlib.util import find_spec
from pathlib import Path

import pictures
from contenders import CONTENDERS, Contender
from machine import described, give_way, multiply_rate, restrict
from networks import NETWORKS, Network, ready
from runs import Batch, Run, measure
from startup import startup

FEWEST, MOST = 2, 20
"""Pictures of a network, however slow or fast it is."""
ARITHMETIC = 4.0
"""Seconds that a network's pictures should take at the rate of matrix products."""
NOTES = """\
Each contender is one process with as many cores as threads; it decodes PNG files, computes, and encodes PNG
files at level 2. All but `enhance` do one after the other, on whole pictures. The best of all rounds is
shown; in each they take turns.

- **s/MP**: seconds for a megapixel of input, from the first picture to the last, without startup.
- **x eager**: how many times as fast as torch eager.
- **network**: seconds for a megapixel of the network alone.
- **of matmul**: nominal operations of the network's convolutions over those of a float32 matrix product of
  torch in the same time. Winograd's convolutions need fewer, so that it may exceed 100 %.
- **levels**: largest difference from torch eager in the 8-bit results.
- **MB**: peak memory of the process.
- **startup**: its seconds besides the batch; for `enhance`, those of a picture of 16x16.

Weights of EDSR, DnCNN and FFDNet are by chance: trained ones would take as long.
"""


def main() -> None:
    options = _options()
    give_way()
    wanted = [one for one in CONTENDERS if _holds(one.name, options.contender)]
    there = [one for one in wanted if all(map(find_spec, one.needs))]
    missing = [one.name for one in wanted if one not in there]
    lines = [*described(), f"{date.today()}: `{options.command}`"]
    if missing:
        lines.append(f"not installed: {', '.join(missing)}")
    text = "\n".join(["# Side by side", "", *(f"- {line}" for line in lines), "", NOTES])
    print(text, flush=True)
    with tempfile.TemporaryDirectory() as name:
        # What `enhance` knows of backends is found anew, before anything is timed.
        os.environ["XDG_CACHE_HOME"] = str(Path(name) / "cache")
        for section in _sections(options, there, Path(name)):
            print(section, flush=True)
            text += f"\n{section}"
    if options.write:
        options.write.write_text(text)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", default="2", help="such as 1,2")
    parser.add_argument("--only", action="append", help="networks whose name holds this; may be repeated")
    parser.add_argument("--contender", action="append", help="runtimes whose name holds this, beside enhance")
    parser.add_argument("--pictures", type=Path, help="folder of pictures to cut from (default: examples)")
    parser.add_argument("--megapixels", type=float, help="of each picture (default 0.3)")
    parser.add_argument("--count", type=int, help=f"pictures (default: {FEWEST} to {MOST}, by the network)")
    parser.add_argument("--rounds", type=int, help="runs of each contender (default 2)")
    parser.add_argument(
        "--quick", action="store_true", help="few and small pictures, one round, three networks"
    )
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the tables there too")
    options = parser.parse_args()
    options.command = shlex.join(["python", "benchmarks/compare.py", *sys.argv[1:]])
    options.threads = [int(n) for n in options.threads.split(",")]
    options.size = pictures.size_of(options.megapixels or (0.05 if options.quick else 0.3))
    options.count = options.count or (FEWEST if options.quick else None)
    options.rounds = options.rounds or (1 if options.quick else 2)
    return options


def _networks(options: argparse.Namespace) -> list[Network]:
    if options.only is None:
        return [one for one in NETWORKS if one.quick or not options.quick]
    return [one for one in NETWORKS if _holds(one.name, options.only)]


def _holds(name: str, words: Sequence[str] | None) -> bool:
    return words is None or any(word.lower() in name.lower() for word in words)


def _sections(options: argparse.Namespace, contenders: Sequence[Contender], folder: Path) -> Iterator[str]:
    """A table for each network and one of startup, by number of threads, as soon as each is measured."""
    for threads in options.threads:
        restrict(threads)
        rate = multiply_rate(threads)
        for network in _networks(options):
            place = folder / "batch"
            place.mkdir()
            batch = _batch(network, threads, rate, options, place)
            runs, problems = measure(batch, contenders, options.rounds)
            rate = max(rate, multiply_rate(threads))
            yield _table(batch, runs, problems, rate)
            shutil.rmtree(place)
        yield startup(threads)


def _batch(network: Network, threads: int, rate: float, options: argparse.Namespace, place: Path) -> Batch:
    size = options.size
    made = ready(network, size, place)
    seconds = made.work * size[0] * size[1] / rate
    count = options.count or min(MOST, max(FEWEST, int(ARITHMETIC / seconds)))
    pictures.make(place / "in", count, size, gray=network.gray, source=options.pictures)
    pictures.make(place / "tiny", 1, (16, 16), gray=network.gray)
    return Batch(network, made, place, threads, count, count * size[0] * size[1] / 1e6)


def _table(batch: Batch, runs: Sequence[Run], problems: dict[str, str], rate: float) -> str:
    eager = next((run for run in runs if run.name == "torch eager"), None)
    (width, height), work = batch.ready.size, batch.ready.work
    lines = [
        f"## {batch.network.name}, {batch.threads} thread{'s' * (batch.threads > 1)}",
        "",
        f"{batch.count} pictures of {width}x{height}; {work / 1e6:.2f} million operations for a pixel, "
        f"{rate / 1e9:.0f} billion a second in a matrix product.",
        "",
        "| | s/MP | x eager | network | of matmul | levels | MB | startup |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for run in runs:
        cells = [
            run.label,
            f"{run.seconds / batch.megapixels:.3f}",
            f"{eager.seconds / run.seconds:.2f}" if eager else "",
            f"{run.computing / batch.megapixels:.3f}",
            f"{work * batch.megapixels * 1e6 / run.computing / rate:.0%}",
            "" if run.levels is None else str(run.levels),
            f"{run.megabytes:.0f}",
            f"{run.startup:.1f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    lines += [f"| {name} | fails |||||||" for name in problems]
    if problems:
        lines += ["", *(f"{name}: {problem}" for name, problem in problems.items())]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()
