"""Disturb real runs of the command, and compare what they leave with the folder of an undisturbed run.

    python tools/faults.py kills --count 200     SIGKILL at random moments, then the same command again
    python tools/faults.py errors                ENOSPC, EIO, EACCES, short writes at every call that writes
    python tools/faults.py folders --count 20    two runs into one folder at once; a folder that is read-only
    python tools/faults.py soak --count 20000    memory through a long batch

Each prints its counts, and leaves with 1 if anything was lost, doubled or different.  Runs are processes of
their own, forked from one that has loaded the libraries, on tiny pictures and a tiny network.  Linux only.
"""

from __future__ import annotations

import argparse
import builtins
import errno
import io
import json
import os
import random
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from PIL import Image

from enhance_cli.arch.registry import ARCHITECTURES
from enhance_cli.batch import models, pipeline, steps  # noqa: F401  so that no run loads them anew
from enhance_cli.batch.records import RECORDS_NAME
from enhance_cli.checkpoints.reader import save_file
from enhance_cli.cli.main import main as command

NOBODY = 65534
SECONDS = 60
"""Longer than any run here takes; what takes longer hangs."""
MEMORY_SHARE = 0.05
"""By how much the last thousand pictures of a soak may take more memory than the first."""
FAULTS = {"ENOSPC": errno.ENOSPC, "EIO": errno.EIO, "EACCES": errno.EACCES}
BY_PATH = ("open", "link", "replace", "rename", "unlink", "mkdir", "lstat", "utime")
BY_HANDLE = ("write", "fsync", "ftruncate", "fchmod", "fchown")
Prepare = Callable[[], None]


@dataclass(frozen=True)
class Ended:
    """A run that has come to its end."""

    code: int
    """Exit code; below zero the signal that ended it."""
    out: str
    err: str


class Place:
    """A folder with inputs `in`, a tiny network, and what an undisturbed run makes of them."""

    def __init__(self, folder: Path, n_pictures: int) -> None:
        torch.set_num_threads(1)
        torch.manual_seed(0)
        self.folder = folder
        folder.chmod(0o755)
        os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
        parameters = {"scale": 2, "n_feats": 4, "n_blocks": 1}
        net = ARCHITECTURES["compact"].build(**parameters)
        save_file(
            folder / "net.safetensors", net, arch="compact", parameters=parameters, task="sr", metadata={}
        )
        (folder / "in").mkdir()
        y, x = np.mgrid[:16, :20]
        for number in range(n_pictures):
            pixels = np.stack([60 + 4 * x, 70 + 5 * y, 90 + x + y + number % 50], axis=2)
            Image.fromarray(pixels.astype(np.uint8)).save(folder / f"in/{number:05}.png")
        self.arguments = ["sr", "--backend", "torch", "--weights", "net.safetensors", "--json", "in"]

    def run(self, output: str, *more: str, prepare: Prepare | None = None) -> Ended:
        """The command, to its end."""
        return self.ended(self.started(output, *more, prepare=prepare))

    def started(self, output: str, *more: str, prepare: Prepare | None = None) -> int:
        """The command in a process of its own; `prepare` is called in it first."""
        child = os.fork()
        if child:
            return child
        code = 70
        try:
            os.chdir(self.folder)
            for handle, name in ((1, "out"), (2, "err")):
                os.dup2(os.open(f"{os.getpid()}.{name}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), handle)
            if prepare:
                prepare()
            sys.argv = ["enhance", *self.arguments, output, *more]
            command()
        except SystemExit as error:
            code = int(error.code or 0)
        except BaseException:
            traceback.print_exc()
        finally:
            with suppress(Exception):
                sys.stdout.flush()
            os._exit(code)

    def ended(self, child: int) -> Ended:
        """Wait for the process; one that hangs is killed, and its exit code says so."""
        deadline = time.monotonic() + SECONDS
        while True:
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                break
            if time.monotonic() > deadline:
                os.kill(child, signal.SIGKILL)
            time.sleep(0.005)
        texts = []
        for name in ("out", "err"):
            path = self.folder / f"{child}.{name}"
            texts.append(path.read_text(errors="replace") if path.exists() else "")
            path.unlink(missing_ok=True)
        return Ended(os.waitstatus_to_exitcode(status), *texts)

    def held(self, output: str) -> dict[str, bytes]:
        """The files of a folder of results, but for the records."""
        with suppress(FileNotFoundError):
            return {
                path.name: path.read_bytes()
                for path in (self.folder / output).iterdir()
                if path.name != RECORDS_NAME
            }
        return {}


class Differences:
    """Counts what is not as in an undisturbed run, and tells of each."""

    def __init__(self, expected: dict[str, bytes]) -> None:
        self.counts = Counter(lost=0, doubled=0, differing=0, hung=0, untold=0)
        self._expected = expected

    def add(self, kind: str, why: str) -> None:
        """One that was found."""
        self.counts[kind] += 1
        say(f"{kind}: {why}")

    def compare(self, held: dict[str, bytes], where: str, *, whole: bool) -> None:
        """What a folder holds; `whole`: nothing may be missing."""
        for name, data in held.items():
            if name not in self._expected:
                self.add("doubled", f"{name} is left, {where}")
            elif data != self._expected[name]:
                self.add("differing", f"{name}, {where}")
        if whole:
            for name in self._expected.keys() - held.keys():
                self.add("lost", f"{name}, {where}")

    def told(self, ended: Ended, where: str, codes: tuple[int, ...]) -> None:
        """How a run ended: not without a word, nor with too many."""
        if ended.code == -signal.SIGKILL:
            self.add("hung", where)
        elif ended.code not in codes or any(word in ended.err for word in ("unexpected", "Traceback")):
            self.add("untold", f"exit code {ended.code}, {ended.err.strip()[-300:]!r}, {where}")


def kills(place: Place, count: int, rng: random.Random) -> Differences:
    """Runs that are killed at a random moment, some of them twice, and go on."""
    place.run("whole")
    start = time.monotonic()
    place.run("whole", "--overwrite")
    seconds = time.monotonic() - start
    found, n_early = Differences(place.held("whole")), 0
    for number in range(count):
        output, where = f"killed{number}", f"kill {number}"
        for _ in range(rng.choice((1, 1, 2))):
            child = place.started(output)
            time.sleep(rng.uniform(0, seconds))
            os.kill(child, signal.SIGKILL)
            ended = place.ended(child)
            n_early += ended.code == -signal.SIGKILL
            names = {name: data for name, data in place.held(output).items() if not name.endswith(".part")}
            found.compare(names, where, whole=False)
        again = place.run(output)
        found.told(again, where, (0,))
        found.compare(place.held(output), where, whole=True)
        summary = json.loads(again.out.splitlines()[-1]) if again.out else {}
        if summary.get("done", 0) + summary.get("current", 0) != len(place.held("whole")):
            found.add("lost", f"the second run tells {summary}, {where}")
    say(f"{count} runs killed and gone on with ({n_early} kills met a run that was still going)")
    return found


class Injection:
    """The calls of this process that concern a folder, one of which goes wrong."""

    def __init__(self, folder: Path, at: int, fault: str, *, for_good: bool = False) -> None:
        """`at`: which call, from 0; -1 for none.  `for_good`: all that come after it, too."""
        self.n_calls = 0
        self._folder, self._at, self._fault, self._for_good = os.fspath(folder), at, fault, for_good

    def install(self) -> None:
        """Put itself before the calls of `os`, and before what files opened to be written do."""
        for name in (*BY_PATH, *BY_HANDLE):
            setattr(os, name, self._wrapped(getattr(os, name)))
        real, injection = io.open, self

        class File(io.FileIO):
            def write(self, data: Any) -> int:
                return injection._call(super().write, data, handle=self.fileno())

        def opened(file: Any, mode: str = "r", *rest: Any, **named: Any) -> Any:
            if not isinstance(file, int) and mode in ("xb", "wb") and injection._concerns(file):
                return injection._call(lambda: io.BufferedWriter(File(file, mode.replace("b", ""))))
            return real(file, mode, *rest, **named)

        io.open = builtins.open = opened

    def _concerns(self, path: Any) -> bool:
        return os.path.abspath(os.fsdecode(path)).startswith(self._folder)

    def _wrapped(self, real: Callable[..., Any]) -> Callable[..., Any]:
        by_handle = real.__name__ in BY_HANDLE

        def call(target: Any, *rest: Any, **named: Any) -> Any:
            if not by_handle:
                concerned = not isinstance(target, int) and self._concerns(target)
                return self._call(real, target, *rest, **named) if concerned else real(target, *rest, **named)
            with suppress(OSError):
                if not self._concerns(os.readlink(f"/proc/self/fd/{target}")):
                    return real(target, *rest, **named)
            if real.__name__ == "write":
                return self._call(lambda data: real(target, data), *rest, handle=target)
            return self._call(real, target, *rest, **named)

        return call

    def _call(self, real: Callable[..., Any], *given: Any, handle: int | None = None, **named: Any) -> Any:
        number, self.n_calls = self.n_calls, self.n_calls + 1
        if number != self._at and not (self._for_good and number > self._at):
            return real(*given, **named)
        if handle is not None and self._fault in ("short", "torn"):
            written = real(bytes(given[0])[: max(1, len(given[0]) // 2)])
            if self._fault == "short":
                return written
        elif self._fault == "short":
            return real(*given, **named)
        raise OSError(code := FAULTS.get(self._fault, errno.ENOSPC), os.strerror(code))


def errors(place: Place, every: int) -> Differences:
    """Each fault at each call (or at one in `every`), then the command again without."""
    counted = place.folder / "calls"

    def injected(at: int, fault: str, output: str, for_good: bool) -> Prepare:
        def prepare() -> None:
            injection = Injection(place.folder / output, at, fault, for_good=for_good)
            injection.install()
            if at < 0:
                real = os._exit
                os._exit = lambda code: (counted.write_text(str(injection.n_calls)), real(code))

        return prepare

    place.run("whole", "--jobs", "1", prepare=injected(-1, "", "whole", False))
    n_calls = int(counted.read_text())
    found, n_runs, codes = Differences(place.held("whole")), 0, Counter[int]()
    plan = [(fault, False) for fault in (*FAULTS, "short", "torn")] + [("ENOSPC", True)]
    for fault, for_good in plan:
        for at in range(0, n_calls, every):
            output = f"{fault}{at}{for_good}"
            where = f"{fault} {'from' if for_good else 'at'} call {at}"
            ended = place.run(output, "--jobs", "1", prepare=injected(at, fault, output, for_good))
            n_runs, codes[ended.code] = n_runs + 1, codes[ended.code] + 1
            found.told(ended, where, (0, 1, 3))
            held = place.held(output)
            # A hidden part file may stay where removing it is what fails.
            finished = {name: data for name, data in held.items() if not name.endswith(".part")}
            found.compare(finished, where, whole=ended.code == 0)
            for line in ended.out.splitlines():
                told = json.loads(line)
                name = Path(told.get("output", "")).name
                if told.get("status") == "done" and name not in finished:
                    found.add("lost", f"{name} was told to be done, {where}")
            again = place.run(output)
            found.told(again, f"again after {where}", (0,))
            found.compare(place.held(output), f"again after {where}", whole=True)
    shown = ", ".join(f"{number} with {code}" for code, number in sorted(codes.items()))
    say(f"{n_calls} calls that write, {n_runs} runs with one that fails; they ended: {shown}")
    return found


def folders(place: Place, count: int, rng: random.Random) -> Differences:
    """Two runs at once, with the same settings and with others; a folder that another user may not write."""
    place.run("whole")
    place.run("other", "--strength", "0.5")
    whole, other = place.held("whole"), place.held("other")
    found = Differences(whole)
    for number in range(count):
        output, where = f"both{number}", f"two runs, round {number}"
        more = ["--strength", "0.5"] if number % 2 else []
        first = place.started(output)
        time.sleep(rng.uniform(0, 0.2))
        ends = [place.ended(child) for child in (first, place.started(output, *more))]
        ends_told = [json.loads(line) for ended in ends for line in ended.out.splitlines()]
        done = Counter(Path(one["output"]).name for one in ends_told if one.get("status") == "done")
        for ended in ends:
            found.told(ended, where, (0, 1, 3))
        held = place.held(output)
        for name, data in held.items():
            if data not in (whole.get(name), other.get(name)):
                found.add("differing", f"{name}, {where}")
        for name in whole.keys() | done.keys():
            if done[name] != 1:
                found.add("lost" if not done[name] else "doubled", f"{name} done {done[name]} times, {where}")
    if os.getuid() == 0:
        (place.folder / "closed").mkdir(mode=0o555)
        (place.folder / "cache").mkdir(exist_ok=True)

        def become_nobody() -> None:
            # What a run loads lies where that user may not read.
            with suppress(SystemExit):
                sys.argv = ["enhance", *place.arguments, "warm"]
                command()
            os.setuid(NOBODY)
            sys.stderr.write("as nobody\n")

        ended = place.run("closed", prepare=become_nobody)
        found.told(ended, "a folder that is read-only", (1,))
        said = ended.err.partition("as nobody")[2].count("Permission denied")
        if said < len(whole) or place.held("closed"):
            found.add("untold", f"{said} of {len(whole)} pictures, in a folder that is read-only")
    left_out = "" if os.getuid() == 0 else " (left out: needs root)"
    say(f"{count} times two runs at once; a read-only folder{left_out}")
    return found


def soak(place: Place, count: int) -> Differences:
    """Resident memory after the first thousand pictures and at the last, of one run."""
    child = place.started("out")
    path, sizes = place.folder / f"{child}.out", []
    for _ in followed(path, child, count):
        pages = int(Path(f"/proc/{child}/statm").read_text().split()[1])
        sizes.append(pages * os.sysconf("SC_PAGE_SIZE") / 1e6)
    ended = place.ended(child)
    found = Differences({})
    found.told(ended, "soak", (0,))
    summary = json.loads(ended.out.splitlines()[-1])
    if summary["done"] != count or len(place.held("out")) != count:
        found.add("lost", f"of {count} pictures {summary}")
    share = min(1000, max(1, count // 10))
    # The first of the thousand still load what all need.
    first, last = np.mean(sizes[share // 2 : share]), np.mean(sizes[-share:])
    if last > first * (1 + MEMORY_SHARE):
        found.add("differing", f"memory grew from {first:.1f} to {last:.1f} MB")
    say(
        f"{summary['done']} pictures in {summary['seconds']:.0f} s; resident memory {first:.1f} MB in the "
        f"first {share}, {last:.1f} MB in the last {share} ({100 * (last / first - 1):+.1f} %), "
        f"at most {max(sizes):.1f} MB"
    )
    return found


def followed(path: Path, child: int, count: int) -> Iterator[None]:
    """One for each picture that the run tells to be done, as it does; ends with the last, or with the run."""
    deadline, seen, read = time.monotonic() + SECONDS, 0, 0
    while seen < count and time.monotonic() < deadline and os.waitid(
        os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT
    ) is None:  # fmt: skip
        with suppress(FileNotFoundError), path.open("rb") as file:
            file.seek(read)
            text = file.read()
            read += len(text)
            for _ in range(text.count(b'"status": "done"')):
                seen, deadline = seen + 1, time.monotonic() + SECONDS
                yield
        time.sleep(0.02)


def say(line: str) -> None:
    """A line on standard output, at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", choices=("kills", "errors", "folders", "soak"))
    parser.add_argument("--count", type=int, default=20, help="kills, pairs of runs, or pictures of a soak")
    parser.add_argument("--pictures", type=int, default=6, help="of each run, but for a soak")
    parser.add_argument("--every", type=int, default=1, help="of how many calls one is made to fail")
    parser.add_argument("--seed", type=int, default=0)
    wish = parser.parse_args()
    rng = random.Random(wish.seed)
    with TemporaryDirectory() as folder:
        place = Place(Path(folder).resolve(), wish.count if wish.what == "soak" else wish.pictures)
        if wish.what == "kills":
            found = kills(place, wish.count, rng)
        elif wish.what == "errors":
            found = errors(place, wish.every)
        elif wish.what == "folders":
            found = folders(place, wish.count, rng)
        else:
            found = soak(place, wish.count)
    say(", ".join(f"{number} {kind}" for kind, number in found.counts.items()))
    return 1 if found.counts.total() else 0


if __name__ == "__main__":
    sys.exit(main())
