"""Streams that are closed, full or gone, and signals: what a real process does."""

import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import enhance_cli
from enhance_cli.cli import interruption

REPO = Path(enhance_cli.__file__).resolve().parents[1]
pytestmark = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full and a shell")


@pytest.fixture
def command(shelf):
    """The words of the real command for `sr`, with weights that take no time."""
    weights = shelf / "tiny-sr-x2.safetensors"
    return [sys.executable, "-m", "enhance_cli", "sr", "--backend", "torch", "--weights", str(weights)]


def environment():
    return {**os.environ, "PYTHONPATH": str(REPO), "OMP_NUM_THREADS": "1"}


@pytest.fixture
def shell(command, tmp_path):
    """`shell("a.png b.png 2>&-")` runs the command with redirections as bash makes them."""

    def run(rest):
        line = f'"$@" {rest}; echo rc=${{PIPESTATUS[0]}} >rc'
        done = subprocess.run(
            ["bash", "-c", line, "bash", *command],
            cwd=tmp_path,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return int((tmp_path / "rc").read_text().removeprefix("rc=")), done.stdout, done.stderr

    return run


@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full", ">&-", "<&- >&- 2>&-"])
def test_talk_that_cannot_be_written_stops_no_picture(shell, picture, size_of, tmp_path, redirection):
    for name in "ab":
        picture(f"in/{name}.png")
    code, _, err = shell(f"in out {redirection}")
    assert code == 0, err
    assert [size_of(tmp_path / f"out/{name}.png") for name in "ab"] == [(40, 32)] * 2
    assert "Traceback" not in err and "Exception" not in err


def test_a_terminal_that_goes_away_stops_no_picture(command, picture, tmp_path):
    for number in range(6):
        picture(f"in/{number}.png")
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*command, "in", "out"],
        cwd=tmp_path,
        env=environment(),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    )
    os.close(theirs)
    seen = b""
    while b"torch" not in seen:
        seen += os.read(ours, 4096)
    os.close(ours)
    assert process.wait(timeout=60) == 0
    assert len(list((tmp_path / "out").glob("*.png"))) == 6


@pytest.mark.parametrize(
    ("redirection", "word"), [(">&-", "standard output is closed"), (">/dev/full", "No space left")]
)
def test_data_that_cannot_be_written_is_one_line(shell, picture, redirection, word):
    picture("a.png")
    for flags in ("--json a.png out/", "--quiet a.png -o -"):
        code, _, err = shell(f"{flags} {redirection}")
        assert code == 1
        assert word in err and err.count("\n") == 1, err


def test_a_reader_that_has_seen_enough_ends_the_run_quietly(shell, picture, tmp_path):
    for number in range(8):
        picture(f"in/{number}.png")
    code, out, err = shell("--quiet --json in out | head -1")
    assert code == 141
    assert err == "" and json.loads(out)["event"] == "start"


@pytest.fixture
def slow(tmp_path, shelf):
    """Starts the command on five pictures, each of which takes a second or so."""
    started = []

    def start(*arguments):
        for number in range(5):
            path = tmp_path / f"in/{number}.png"
            path.parent.mkdir(exist_ok=True)
            Image.fromarray(np.full((64, 64, 3), 90 + number, np.uint8)).save(path)
        code = (
            # Shells have what they start in the background ignore Ctrl-C, the tests among it.
            "import signal, sys, time\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
            "from enhance_cli.engine.restorer import Restorer\nbands = Restorer.bands\n"
            "def slowly(self, *given, **how):\n"
            "    print('begun', file=sys.stderr, flush=True)\n"
            "    for band in bands(self, *given, **how):\n        time.sleep(1.0)\n        yield band\n"
            "Restorer.bands = slowly\nfrom enhance_cli.cli.main import main\nmain()"
        )
        weights = str(shelf / "tiny-sr-x2.safetensors")
        process = subprocess.Popen(
            [sys.executable, "-c", code, "sr", "--backend", "torch", "--weights", weights, *arguments],
            cwd=tmp_path,
            env=environment(),
            stdout=-1,
            stderr=-1,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def wait_for(process, word):
    lines = []
    for line in process.stderr:
        lines.append(line)
        if word in line:
            return lines
    raise AssertionError(lines)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_signal_finishes_the_picture_and_says_how_to_go_on(slow, tmp_path, number):
    if signal.getsignal(number) == signal.SIG_IGN:
        pytest.skip("nohup has this signal ignored, which the command respects")
    process = slow("--json", "in", "out")
    wait_for(process, "begun")
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "stopping when the picture in hand is finished" in err
    assert "4 of 5 pictures were not done: the same command goes on with them" in err
    assert "Traceback" not in err
    events = [json.loads(line) for line in out.splitlines()]
    assert [one["event"] for one in events] == ["start", "file", "summary"]
    assert events[-1]["interrupted"] is True
    assert [path.name for path in (tmp_path / "out").glob("*.p*")] == ["0.png"]


def test_the_second_signal_stops_at_once(slow, tmp_path):
    process = slow("in", "out")
    wait_for(process, "begun")
    process.send_signal(signal.SIGINT)
    wait_for(process, "stopping")
    time.sleep(interruption.ECHO_SECONDS + 0.05)
    start = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert time.monotonic() - start < 0.4
    assert "Traceback" not in err
    assert list((tmp_path / "out").glob("*")) == [] if (tmp_path / "out").exists() else True


def test_many_fast_signals_give_no_traceback(slow):
    process = slow("in", "out")
    wait_for(process, "begun")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err and "Exception" not in err
    assert "1 done" in err


def test_a_reader_that_hangs_needs_one_signal(command, picture, tmp_path):
    """As on a network folder whose server has gone."""
    picture("a.png")
    code = (
        "import sys, threading\nfrom enhance_cli.imaging import files\n"
        "def hang(path, limits):\n"
        "    print('begun', file=sys.stderr, flush=True)\n    threading.Event().wait()\n"
        "files.bytes_of = hang\nfrom enhance_cli.cli.main import main\nmain()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, *command[3:], "a.png", "out/"],
        cwd=tmp_path,
        env=environment(),
        stdout=-1,
        stderr=-1,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    wait_for(process, "begun")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Traceback" not in err and "1 of 1 pictures" in err


def test_an_ignored_signal_stays_ignored():
    """As after nohup."""
    code = (
        "import signal, os\nsignal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "from enhance_cli.cli.interruption import Interruption\n"
        "with Interruption(print, lambda: None) as one:\n"
        "    one.finishes = True\n    os.kill(os.getpid(), signal.SIGHUP)\n    print(one.stop.is_set())"
    )
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True)
    assert done.stdout == "False\n"
