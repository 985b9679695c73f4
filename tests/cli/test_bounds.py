"""--timeout, --memory and --sandbox: one picture that takes too much is one line, and the others are done."""

import os
import re
import subprocess
import sys
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import enhance_cli
from enhance_cli.batch import steps


def test_a_picture_that_takes_too_long_to_restore_fails_and_the_next_is_done(enhance, picture, monkeypatch):
    picture("in/a.png", 200, 160)
    picture("in/b.png")
    # Each look at the clock is 40 seconds after the one before.
    monkeypatch.setattr(steps, "time", SimpleNamespace(monotonic=count(step=40).__next__))
    outcome = enhance("sr", "--json", "--tile", "64", "--timeout", "30", "in", "out")
    assert outcome.code == 3, outcome.err
    slow, quick = outcome.of("file")
    assert re.search(r"takes longer than --timeout 30 s \(1 of \d+ tiles done\)", slow["error"])
    assert quick["status"] == "done"
    assert [path.name for path in Path("out").glob("[!.]*")] == ["b.png"]
    assert enhance("sr", "--tile", "64", "--timeout", "9000", "in", "out").code == 0


def test_memory_refuses_what_does_not_fit_and_does_the_rest(enhance):
    Path("in").mkdir()
    Image.fromarray(np.zeros((100, 100, 3), np.uint8)).save("in/small.png")
    # 12 megapixels of one colour, a few kilobytes.
    Image.fromarray(np.full((3000, 4000), 90, np.uint8)).save("in/large.png")
    outcome = enhance("dejpeg", "--json", "--quality", "30", "--memory", "1G", "in", "out")
    assert outcome.code == 3
    large, small = outcome.of("file")
    assert small["status"] == "done"
    assert re.search(r"4000x3000 may take \d+ bytes to decode, .*raise it with --memory", large["error"])
    assert not Path("out/large.png").exists()


def test_results_that_do_not_fit_are_refused_before_the_network_runs(enhance):
    Image.fromarray(np.full((2000, 2000, 3), 90, np.uint8)).save("a.png")
    outcome = enhance("sr", "--memory", "1G", "a.png", "b.jpg")
    assert outcome.code == 1
    assert "with its result of 4000x4000 it takes about 168 MB, and --memory leaves 158 MB" in outcome.err


@pytest.mark.parametrize(
    ("flag", "value"),
    [("--timeout", "0"), ("--timeout", "nan"), ("--timeout", "soon"), ("--memory", "2Q"), ("--memory", "9M")],
)
def test_bad_values_are_one_line(enhance, picture, flag, value):
    picture("a.png")
    outcome = enhance("sr", flag, value, "a.png", "out/")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1), outcome.err
    assert flag in outcome.err
    assert not Path("out").exists()


def test_a_run_in_the_sandbox_gives_the_same_files(enhance, picture):
    picture("in/a.png")
    picture("in/b.jpg", gray=True)
    Path("in/c.png").write_bytes(b"\x89PNG\r\n\x1a\n rubbish")
    outcomes = [enhance("sr", *flags, "in", out) for flags, out in (((), "one"), (("--sandbox",), "two"))]
    assert [outcome.code for outcome in outcomes] == [3, 3]
    failures = [line for one in outcomes for line in one.err.splitlines() if line.startswith("failed")]
    assert len(failures) == 2 and failures[0] == failures[1]
    for name in ("a.png", "b.png"):
        assert Path("one", name).read_bytes() == Path("two", name).read_bytes()


@pytest.mark.skipif(sys.platform != "linux", reason="measures as Linux does")
def test_a_run_stays_within_its_memory(shelf, tmp_path):
    y, x = np.mgrid[:1500, :2000]
    pixels = np.stack([x // 20 % 256, y // 20 % 256, (x + y) // 40 % 256], axis=2).astype(np.uint8)
    (tmp_path / "in").mkdir()
    for name in "abcd":
        Image.fromarray(pixels).save(tmp_path / f"in/{name}.png", compress_level=1)
    code = (
        "import resource, subprocess, sys\n"
        "subprocess.run([sys.executable, '-m', 'enhance_cli', *sys.argv[1:]], check=True)\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)\n"
    )
    weights = ("--weights", str(shelf / "tiny-sr-x2.safetensors"), "--backend", "torch", "--jobs", "4")

    def peak(*flags):
        run = subprocess.run(
            [sys.executable, "-c", code, "sr", *weights, *flags, "in", f"out{len(flags)}"],
            cwd=tmp_path,
            env={
                **os.environ,
                "PYTHONPATH": str(Path(enhance_cli.__file__).parents[1]),
                "OMP_NUM_THREADS": "1",
            },
            capture_output=True,
            text=True,
            check=True,
        )
        return int(run.stdout)

    bounded = peak("--memory", "1G")
    assert bounded < 1 << 30
    # Fewer are in hand, in smaller tiles.
    assert bounded < peak() - 50_000_000
