"""Short runs of the fault harness, and what it would find."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parents[2] / "tools"
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="disturbs runs as Linux lets it")


def faults(*arguments, before=""):
    code = f"import sys; sys.path.insert(0, {str(TOOLS)!r})\nimport faults\n{before}\nsys.exit(faults.main())"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=300, check=False
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ("kills", "--count", "4", "--pictures", "5"),
        ("errors", "--pictures", "1", "--every", "7"),
        ("folders", "--count", "2", "--pictures", "3"),
        ("soak", "--count", "100"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_nothing_is_lost_doubled_or_different(arguments):
    run = faults(*arguments)
    assert run.returncode == 0, run.stdout + run.stderr
    first, last = run.stdout.splitlines()
    assert last == "0 lost, 0 doubled, 0 differing, 0 hung, 0 untold"
    assert re.search(r"[1-9]\d* (runs|times|pictures|calls)", first)


UNSAFE = {
    # Without records nobody knows afterwards whose the outputs are.
    "untold": ("kills", "from enhance_cli.batch.records import Records; Records.append = lambda *_: None"),
    # Two runs that both tell a picture to be done.
    "doubled": (
        "folders",
        "from enhance_cli.batch.steps import Steps\n"
        "Steps._save = lambda self, job, output, pieces, *rest: sum(map(len, pieces))",
    ),
}


@pytest.mark.parametrize("kind", UNSAFE)
def test_a_tool_that_were_less_careful_is_found_out(kind):
    what, flaw = UNSAFE[kind]
    run = faults(what, "--count", "3", "--pictures", "3", before=flaw)
    assert run.returncode == 1, run.stdout + run.stderr
    assert f"{kind}: " in run.stdout
