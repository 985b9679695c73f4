"""Put spoilt files through the readers that the command uses, in a process with little memory and time.

    python tools/fuzz.py pictures --count 100000 [--first N] [--findings FOLDER]
    python tools/fuzz.py checkpoints --count 20000

Number N always makes the same file, so that a run goes on with --first, and is done in parts.  A finding is
a file that ends the process, raises what is not in `errors.py`, takes more than 10 seconds or 1.5 GB, or
makes code of a checkpoint run; it is kept in the folder with its number.  Exit code 1 if there was any.

Pictures are read, their first frame or all, and what was read is encoded again with its metadata; weights are
read, recognised and built.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import random
import re
import resource
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fuzz_inputs import CANARY, checkpoint_seeds, mutated, picture_seeds

SECONDS = 10
"""Of the processor for one file."""
PATIENCE = 120
"""Seconds for which nothing may come from the other process, which may wait for the processor or start."""
BYTES = 1_500_000_000
"""Beyond what the process takes with everything loaded."""
FORBIDDEN = {CANARY, "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty", "subprocess.Popen",
             "socket.connect", "os.remove", "os.rename", "shutil.rmtree", "webbrowser.open"}  # fmt: skip
"""Audit events that no reading of a file raises."""
SHOWN_EVERY = 2000
LARGEST_ENCODED = 100_000
"""Pixels of what is encoded again; larger ones would take their time in the encoder."""
SEEDS: dict[str, Callable[[], dict[str, bytes]]] = {
    "pictures": picture_seeds,
    "checkpoints": checkpoint_seeds,
}


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", choices=SEEDS)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--findings", type=Path, default=Path("findings"))
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    wish = parser.parse_args()
    numbers = range(wish.first, wish.first + wish.count)
    if wish.worker:
        work(wish.what, numbers)
        return 0
    counts: Counter[str] = Counter()
    start, most, slowest = time.monotonic(), 0, 0.0
    seeds = SEEDS[wish.what]()
    for told in watched(wish.what, numbers):
        counts[told["outcome"]] += 1
        most, slowest = max(most, told.get("bytes", 0)), max(slowest, told.get("seconds", 0.0))
        if told["outcome"] == "finding":
            name, data = file_of(seeds, wish.what, told["number"])
            wish.findings.mkdir(parents=True, exist_ok=True)
            path = wish.findings / f"{wish.what}-{told['number']}.bin"
            path.write_bytes(data)
            say(f"finding {told['number']} ({name}): {told['why']}; {path}")
        done = counts.total()
        if done % SHOWN_EVERY == 0 or done == len(numbers):
            kinds = ", ".join(f"{counts[kind]} {kind}" for kind in ("read", "refused", "finding"))
            rate = done / (time.monotonic() - start)
            say(
                f"{done} {wish.what} from {wish.first}: {kinds}; {rate:.0f} a second, "
                f"slowest {slowest:.1f} s, at most {most / 1e6:.0f} MB"
            )
    return 1 if counts["finding"] else 0


def say(line: str) -> None:
    """A line on standard output, at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def file_of(seeds: dict[str, bytes], what: str, number: int) -> tuple[str, bytes]:
    """The spoilt file of that number, and the name of the valid one that it was made from."""
    rng = random.Random(f"{what} {number}")
    names = sorted(seeds)
    name = names[number % len(names)]
    kind = name.split()[0]
    return name, mutated(seeds[name], name, rng, [seeds[one] for one in names if one.split()[0] == kind])


def watched(
    what: str, numbers: range, program: Sequence[str] = (sys.executable, __file__)
) -> Iterator[dict[str, Any]]:
    """What became of each number: {number, outcome, why?, bytes?, seconds?}; `program` is what reads.

    A worker that ends or says nothing for long is a finding of the number it was at; another goes on behind.
    """
    upcoming = numbers.start
    while upcoming < numbers.stop:
        command = [*program, what, "--worker", "--first", str(upcoming)]
        worker = subprocess.Popen(
            [*command, "--count", str(numbers.stop - upcoming)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        lines, complaints = followed(worker)
        if lines.get(timeout=PATIENCE) is None:
            raise SystemExit(f"the readers could not be started: {b''.join(complaints).decode()}")
        why = f"nothing came for {PATIENCE} s"
        with suppress(queue.Empty):
            while (line := lines.get(timeout=PATIENCE)) is not None:
                yield json.loads(line)
                upcoming += 1
            code = worker.wait()
            last = (b"".join(complaints).decode(errors="replace").strip().splitlines() or [""])[-1]
            why = f"took more than {SECONDS} s" if code == -signal.SIGPROF else f"ended with {code} {last}"
        worker.kill()
        # One that ends well has taken too much memory, and said so.
        if worker.wait() != 0 and upcoming < numbers.stop:
            yield {"number": upcoming, "outcome": "finding", "why": why}
            upcoming += 1


def followed(worker: subprocess.Popen[bytes]) -> tuple[queue.Queue[bytes | None], list[bytes]]:
    """The lines of a process as they come, None behind the last; and what it says on stderr, at its end."""
    lines: queue.Queue[bytes | None] = queue.Queue()
    complaints: list[bytes] = []
    assert worker.stdout and worker.stderr
    out, err = worker.stdout, worker.stderr

    def read_lines() -> None:
        for line in out:
            lines.put(line)
        lines.put(None)

    threading.Thread(target=read_lines, daemon=True).start()
    threading.Thread(target=lambda: complaints.append(err.read()), daemon=True).start()
    return lines, complaints


def work(what: str, numbers: range) -> None:
    """Read the files of these numbers; one JSON line for each on standard output."""
    from enhance_cli.errors import EnhanceError

    told = os.dup(1)
    os.dup2(2, 1)  # what a library says does not come between the lines
    seeds = SEEDS[what]()
    with TemporaryDirectory() as folder:
        path = Path(folder, "net.bin")
        read = read_picture if what == "pictures" else read_checkpoint
        for data in seeds.values():
            # So that everything is loaded before memory counts, and every valid file is read.
            path.write_bytes(data)
            try:
                read(path, data, 0)
            except EnhanceError as error:
                if what == "pictures":
                    raise SystemExit(f"a valid picture was refused: {error}") from error
        base = resident()
        mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (mapped + BYTES, mapped + BYTES))
        forbidden: list[str] = []
        reading = False

        def hook(event: str, arguments: tuple[Any, ...]) -> None:
            writes = event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+")
            if reading and (event in FORBIDDEN or writes):
                forbidden.append(f"{event} {arguments!r}"[:200])
                raise PermissionError(f"a file that is read must not do this: {event}")

        sys.addaudithook(hook)
        os.write(told, b"ready\n")
        for number in numbers:
            _, data = file_of(seeds, what, number)
            path.write_bytes(data)
            outcome: dict[str, Any] = {"number": number, "outcome": "read"}
            start = time.process_time()
            # Nobody handles the signal: it ends the process, whatever library it is in.
            signal.setitimer(signal.ITIMER_PROF, SECONDS)
            reading = True
            try:
                read(path, data, number)
            except EnhanceError as error:
                outcome["outcome"] = "refused"
                if re.search(r"\bmemory\b", str(error)):
                    outcome |= {"outcome": "finding", "why": str(error)}
                elif "\n" in str(error):
                    outcome |= {"outcome": "finding", "why": f"more than one line: {error}"}
            except BaseException as error:
                outcome |= {"outcome": "finding", "why": f"unexpected {type(error).__name__}: {error}"[:500]}
            reading = False
            signal.setitimer(signal.ITIMER_PROF, 0)
            outcome |= {"bytes": resident() - base, "seconds": time.process_time() - start}
            if forbidden:
                outcome |= {"outcome": "finding", "why": f"it did {forbidden.pop()}"}
            elif outcome["bytes"] > BYTES:
                outcome |= {"outcome": "finding", "why": f"took {outcome['bytes'] / 1e6:.0f} MB"}
            os.write(told, json.dumps(outcome).encode() + b"\n")
            if outcome["bytes"] > BYTES:
                # The peak would count for all that follow: another process goes on.
                return


def read_picture(path: Path, data: bytes, number: int) -> None:
    """As a run reads it: the first frame, or, for every second number, all; small ones are written again."""
    from enhance_cli.errors import WriteError
    from enhance_cli.imaging import files

    formats = ("PNG", ("JPEG", "TIFF", "WEBP", "AVIF")[number // 2 % 4])
    if number % 2:
        frames, n_pixels = [], 0
        for frame in files.read_frames(data):
            n_pixels += frame.picture.width * frame.picture.height
            if n_pixels <= LARGEST_ENCODED:
                frames.append(frame)
        for format in formats * (len(frames) > 1):
            with suppress(WriteError):
                b"".join(files.encode_frames(frames, format))
        return
    picture = files.read(data)
    for format in formats * (picture.width * picture.height <= LARGEST_ENCODED):
        with suppress(WriteError):
            files.losses(picture, format)
            files.encode(picture, format)


def read_checkpoint(path: Path, data: bytes, number: int) -> None:
    """As `--weights` reads it."""
    from enhance_cli.checkpoints.reader import load_file

    load_file(path)


def resident() -> int:
    """The largest memory of this process so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    sys.exit(main())
