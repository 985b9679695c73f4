"""A fixed run of the fuzz harness, and what it would find."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parents[2] / "tools"
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits and measures as Linux does")


@pytest.mark.parametrize(("what", "count"), [("pictures", 600), ("checkpoints", 300)])
def test_spoilt_files_end_in_a_result_or_one_line(tmp_path, what, count):
    command = [sys.executable, TOOLS / "fuzz.py", what, "--count", str(count), "--findings", tmp_path]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    (line,) = run.stdout.splitlines()
    assert line.startswith(f"{count} {what} from 0: ") and " 0 finding;" in line
    # Some are read, so that what lies behind the first look at a file is reached, too.
    assert int(line.split(": ")[1].split()[0]) > count / 50


FLAWS = """
import os, signal, sys
sys.path.insert(0, {tools!r})
import fuzz
fuzz.SECONDS = 1

def flawed(path, data, number):
    if number == 11:
        os.kill(os.getpid(), signal.SIGSEGV)
    if number == 12:
        raise ValueError("not in the tree of errors")
    while number == 13:
        pass
    if number == 14:
        os.system("true")
    if number == 15:
        try:
            open("mark", "w")
        except OSError:
            pass
    if number == 16:
        bytes(2 * fuzz.BYTES)
    if number == 17:
        fuzz.BYTES = -1

fuzz.read_picture = flawed
sys.exit(fuzz.main())
"""


def test_each_kind_of_flaw_is_found_and_the_run_goes_on(tmp_path):
    program = [sys.executable, "-c", FLAWS.format(tools=str(TOOLS))]
    code = (
        f"import json, sys; sys.path.insert(0, {str(TOOLS)!r}); import fuzz\n"
        f"for told in fuzz.watched('pictures', range(10, 20), {program!r}): print(json.dumps(told))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=True, cwd=tmp_path
    )
    told = [json.loads(line) for line in run.stdout.splitlines()]
    assert [one["number"] for one in told] == list(range(10, 20))
    found = {one["number"]: one["why"] for one in told if one["outcome"] == "finding"}
    words = {
        11: "ended with -11",
        12: "unexpected ValueError",
        13: "took more than",
        14: "os.system",
        15: "it did open",
        16: "MemoryError",
        17: "took ",
    }
    assert found.keys() == words.keys()
    assert all(words[number] in why for number, why in found.items())
    assert not (tmp_path / "mark").exists()
